import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, equalBytes } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { logicalNameOctets } from "../cosem/logical-name.ts";
import { d } from "../data/d.ts";
import { CLIENTS, ECHO, Echo, testKey, testMeter } from "../testing/meter.test.ts";
import { apdu, type PlainApdu } from "../xdlms/apdu.ts";

// A long SET and a long GET of one attribute, in whatever order their blocks come: repeated, left out, of another request,
// under another invoke id. The model knows what the transfer holds; the server must agree with it at every step, and the
// attribute may only ever hold what was sent whole.

const AARQ =
  "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738be10040e01000000065f1f0400001c1f0064";
const attribute = { classId: Echo.id, instanceId: logicalNameOctets(ECHO), attributeId: 2 };
const BLOCK_BYTES = 40;

type Step =
  | {
      readonly kind: "set-block";
      readonly number: "next" | "same" | "skipped";
      readonly last: boolean;
      readonly id: number;
    }
  | { readonly kind: "get"; readonly id: number }
  | { readonly kind: "get-next"; readonly number: "right" | "wrong"; readonly id: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("set-block" as const),
      number: fc.constantFrom("next" as const, "next" as const, "next" as const, "same" as const, "skipped" as const),
      last: fc.boolean(),
      id: fc.constantFrom(1, 1, 1, 2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("get" as const), id: fc.constantFrom(1, 2) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("get-next" as const),
      number: fc.constantFrom("right" as const, "right" as const, "wrong" as const),
      id: fc.constantFrom(1, 1, 2),
    }),
  },
);

interface Model {
  stored: Uint8Array;
  setting: { readonly id: number; readonly number: number; readonly octets: Uint8Array } | undefined;
  getting: { readonly id: number; readonly number: number; readonly sent: number } | undefined;
}

test("blocks in any order leave the server where the model is, and never half a value", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const meter = testMeter();
      const connection = meter.server.connect(CLIENTS.writer, 1);
      const model: Model = { stored: meter.state.text, setting: undefined, getting: undefined };
      const ask = (request: PlainApdu): PlainApdu => {
        const answer = meter.server.handle(connection, encode(apdu, request));
        assert.ok(answer !== undefined);
        return decode(apdu, answer) as PlainApdu;
      };
      const opened = meter.server.handle(connection, Uint8Array.from(Buffer.from(AARQ, "hex")));
      assert.equal(opened?.[0], 0x61);
      for (const each of steps) {
        if (each.kind === "set-block") takeSet(model, each, ask);
        else if (each.kind === "get") takeGet(model, each.id, ask);
        else takeNext(model, each, ask);
        assert.ok(equalBytes(meter.state.text, model.stored), "the value is one that was sent whole");
      }
    }),
    { numRuns: 150 },
  );
});

type Ask = (request: PlainApdu) => PlainApdu;

const idOf = (invokeId: number) => ({ invokeId, confirmed: true, highPriority: false });

function takeSet(model: Model, { number, last, id }: Extract<Step, { kind: "set-block" }>, ask: Ask): void {
  const { setting } = model;
  model.getting = undefined;
  const begins = setting === undefined || number === "same";
  const value = encode(d.octetString, testKey((setting?.number ?? 0) + 3, BLOCK_BYTES));
  if (begins) {
    // A whole value in its first block, or the head of a longer one.
    const rawData = last ? value : value.subarray(0, 10);
    const block = { lastBlock: last, blockNumber: 1, rawData };
    const response = ask({
      kind: "set-request",
      value: { kind: "with-first-datablock", value: { invokeIdAndPriority: idOf(id), attribute, block } },
    });
    assert.ok(response.kind === "set-response");
    assert.equal(response.value.kind, last ? "last-datablock" : "datablock");
    if (last) finish(model, value);
    else model.setting = { id, number: 1, octets: rawData };
    return;
  }
  const blockNumber = setting.number + (number === "next" ? 1 : 2);
  const rest = value.length - setting.octets.length;
  const rawData = last ? testKey(9, Math.max(0, rest)) : testKey(9, Math.min(4, Math.max(0, rest - 1)));
  const response = ask({
    kind: "set-request",
    value: {
      kind: "with-datablock",
      value: { invokeIdAndPriority: idOf(id), block: { lastBlock: last, blockNumber, rawData } },
    },
  });
  assert.ok(response.kind === "set-response");
  model.setting = undefined;
  if (id !== setting.id) assertRefused(response, "no-long-set-in-progress");
  else if (number !== "next") assertRefused(response, "data-block-number-invalid");
  else if (last) {
    assert.equal(response.value.kind, "last-datablock");
    finish(model, concatBytes(setting.octets, rawData));
  } else {
    assert.equal(response.value.kind, "datablock");
    model.setting = { id, number: blockNumber, octets: concatBytes(setting.octets, rawData) };
  }
}

/** The blocks make a value where they fit together; else the attribute keeps what it has. */
function finish(model: Model, octets: Uint8Array): void {
  model.setting = undefined;
  try {
    model.stored = decode(d.octetString, octets);
  } catch {
    // type-unmatched: nothing is written.
  }
}

function takeGet(model: Model, id: number, ask: Ask): void {
  const response = ask({
    kind: "get-request",
    value: { kind: "normal", value: { invokeIdAndPriority: idOf(id), attribute } },
  });
  model.setting = undefined;
  model.getting = undefined;
  assert.ok(response.kind === "get-response");
  if (response.value.kind === "normal") {
    const { result } = response.value.value;
    assert.ok(result.kind === "data" && result.value.type === "octet-string");
    assert.deepEqual(result.value.value, model.stored);
    return;
  }
  assert.ok(response.value.kind === "with-datablock");
  const { block } = response.value.value;
  assert.equal(block.blockNumber, 1);
  if (!block.lastBlock && block.result.kind === "raw-data")
    model.getting = { id, number: 1, sent: block.result.value.length };
}

function takeNext(model: Model, { number, id }: Extract<Step, { kind: "get-next" }>, ask: Ask): void {
  const { getting } = model;
  const blockNumber = (getting?.number ?? 0) + (number === "right" ? 0 : 3);
  const response = ask({
    kind: "get-request",
    value: { kind: "next", value: { invokeIdAndPriority: idOf(id), blockNumber } },
  });
  model.setting = undefined;
  model.getting = undefined;
  assert.ok(response.kind === "get-response" && response.value.kind === "with-datablock");
  const { block } = response.value.value;
  if (getting === undefined || getting.id !== id)
    assert.deepEqual(block.result, { kind: "data-access-result", value: "no-long-get-in-progress" });
  else if (number === "wrong")
    assert.deepEqual(block.result, { kind: "data-access-result", value: "data-block-number-invalid" });
  else {
    assert.equal(block.blockNumber, getting.number + 1);
    assert.ok(block.result.kind === "raw-data");
    if (!block.lastBlock)
      model.getting = { id, number: block.blockNumber, sent: getting.sent + block.result.value.length };
  }
}

function assertRefused(response: Extract<PlainApdu, { kind: "set-response" }>, reason: string): void {
  assert.ok(response.value.kind === "last-datablock");
  assert.equal(response.value.value.result, reason);
}

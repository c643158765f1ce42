import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import { decode } from "../codec/codec.ts";
import { type LineFault, LossyLine, lineFaults } from "../testing/lossy-line.test.ts";
import { apdu } from "../xdlms/apdu.ts";
import { BlockTransferMachine, type BlockTransferOptions, type BlockTransferStep } from "./transfer.ts";

const octets = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);

/** The blocks among steps in short: `last? number/acknowledged +octets streaming? window`. */
function written(steps: readonly BlockTransferStep[]): string[] {
  return steps.map((step) => {
    if (step.kind !== "send") return step.kind;
    const { kind, value } = decode(apdu, step.apdu);
    assert.equal(kind, "general-block-transfer");
    assert.ok(kind === "general-block-transfer");
    const { control, blockNumber, blockNumberAck, blockData } = value;
    const { lastBlock, streaming, window } = control;
    return `${blockNumber}/${blockNumberAck} +${blockData.length} w${window}${streaming ? " streams" : ""}${lastBlock ? " last" : ""}`;
  });
}

const client = (options: Partial<BlockTransferOptions> = {}) =>
  new BlockTransferMachine({ role: "client", blockBytes: 10, ...options });
const server = (options: Partial<BlockTransferOptions> = {}) =>
  new BlockTransferMachine({ role: "server", blockBytes: 10, ...options });

function sent(steps: readonly BlockTransferStep[]): Uint8Array[] {
  return steps.flatMap((step) => (step.kind === "send" ? [step.apdu] : []));
}

function failureOf(steps: readonly BlockTransferStep[]): string | undefined {
  const failed = steps.find((step) => step.kind === "failed");
  return failed?.kind === "failed" ? failed.error.code : undefined;
}

describe("a response in blocks", () => {
  test("goes block by block where neither side takes more", () => {
    const [reader, meter] = [client(), server()];
    const first = meter.start(octets(25));
    assert.deepEqual(written(first), ["1/0 +10 w1"]);
    const confirmed = reader.take(sent(first)[0]!);
    assert.deepEqual(written(confirmed), ["1/1 +0 w1 last"]);
    const second = meter.take(sent(confirmed)[0]!);
    assert.deepEqual(written(second), ["2/1 +10 w1"]);
    const third = meter.take(sent(reader.take(sent(second)[0]!))[0]!);
    assert.deepEqual(written(third), ["3/2 +5 w1 last"]);
    assert.deepEqual(reader.take(sent(third)[0]!), [{ kind: "complete", apdu: octets(25) }]);
  });

  test("is streamed as far as the client's window goes", () => {
    const [reader, meter] = [client({ windowBlocks: 3 }), server()];
    const first = meter.start(octets(50));
    const window = meter.take(sent(reader.take(sent(first)[0]!))[0]!);
    assert.deepEqual(written(window), ["2/1 +10 w1 streams", "3/1 +10 w1 streams", "4/1 +10 w1"]);
    const answers = sent(window).flatMap((block) => reader.take(block));
    assert.deepEqual(written(answers), ["2/4 +0 w3 last"]);
    const rest = meter.take(sent(answers)[0]!);
    assert.deepEqual(written(rest), ["5/2 +10 w1 last"]);
    assert.deepEqual(reader.take(sent(rest)[0]!), [{ kind: "complete", apdu: octets(50) }]);
  });

  test("is confirmed when the window is full, also by a server that sets the streaming bit and waits", () => {
    const reader = client({ windowBlocks: 2 });
    const [one] = sent(reader.take(fromHex("e001 0001 0000 01 aa".replaceAll(" ", ""))));
    assert.equal(toHex(one!), "e0820001000100");
    assert.deepEqual(written(reader.take(fromHex("e04100020001 01bb".replaceAll(" ", "")))), []);
    assert.deepEqual(written(reader.take(fromHex("e04100030001 01cc".replaceAll(" ", "")))), ["2/3 +0 w2 last"]);
  });

  test("has its lost blocks asked for, and no others", () => {
    const [reader, meter] = [client({ windowBlocks: 4 }), server({ peerWindowBlocks: 4 })];
    const [one, , , four] = sent(meter.start(octets(60)));
    assert.deepEqual(reader.take(one!), []);
    const asked = reader.take(four!);
    assert.deepEqual(written(asked), ["1/1 +0 w2 last"]);
    const repeated = meter.take(sent(asked)[0]!);
    assert.deepEqual(written(repeated), ["2/1 +10 w1 streams", "3/1 +10 w1"]);
    const goOn = sent(repeated).flatMap((block) => reader.take(block));
    assert.deepEqual(written(goOn), ["2/4 +0 w4 last"]);
  });
});

test("a block too far ahead to be meant is not kept", () => {
  const reader = client({ windowBlocks: 5 });
  assert.deepEqual(written(reader.take(fromHex("e040 0041 0000 01 aa"))), []);
  assert.deepEqual(written(reader.take(fromHex("e000 0001 0000 01 bb"))), ["1/1 +0 w5 last"]);
});

describe("a request in blocks", () => {
  test("is confirmed by the server, and answered in blocks", () => {
    const [reader, meter] = [client(), server()];
    let travelling = sent(reader.start(octets(25)));
    const seen: string[] = [];
    let answered = false;
    for (let turn = 0; turn < 20 && travelling.length > 0; turn += 1) {
      const steps = meter.take(travelling[0]!);
      const complete = steps.find((step) => step.kind === "complete");
      assert.ok(complete === undefined || toHex(complete.apdu) === toHex(octets(25)));
      const replies = complete === undefined ? steps : meter.start(octets(12));
      seen.push(...written(replies));
      const back = reader.take(sent(replies)[0]!);
      seen.push(...written(back));
      answered ||= back.some((step) => step.kind === "complete");
      travelling = sent(back);
    }
    assert.ok(answered);
    assert.deepEqual(seen, [
      ...["1/1 +0 w1", "2/1 +10 w1"],
      ...["2/2 +0 w1", "3/2 +5 w1 last"],
      ...["3/3 +10 w1", "4/3 +0 w1 last"],
      ...["4/4 +2 w1 last", "complete"],
    ]);
  });
});

test("the blocks that Gurux Java recorded are put together, and confirmed as its client confirmed them", () => {
  const reader = client({ windowBlocks: 3 });
  const first = concatBytes(fromHex("e001 0001 0000 820100"), octets(256));
  assert.equal(toHex(sent(reader.take(first))[0]!), "e0830001000100");
  const [done] = reader.take(concatBytes(fromHex("e081 0002 0001 03"), octets(3)));
  assert.ok(done?.kind === "complete");
  assert.equal(done.apdu.length, 259);
});

describe("what does not fit ends the transfer, and says so to the other side", () => {
  const ABORT = "e0800000000000";
  const cases: readonly (readonly [string, string, string])[] = [
    ["a confirmation of what was never sent", "e001 0001 0005 01 aa", "transfer-inconsistent"],
    ["a block with number 0", "e001 0000 0000 01 aa", "transfer-inconsistent"],
    ["another APDU", "c401 c100 0f01", "transfer-inconsistent"],
    ["octets behind the block", "e001 0001 0000 01 aa bb", "transfer-inconsistent"],
    ["a length beyond the block", "e001 0001 0000 7f aa", "transfer-inconsistent"],
    ["more than the limit", "e001 0001 0000 09 010203040506070809", "apdu-too-long"],
  ];
  for (const [what, hex, code] of cases)
    test(what, () => {
      const steps = client({ maxApduBytes: 8 }).take(fromHex(hex));
      assert.deepEqual(sent(steps).map(toHex), [ABORT]);
      assert.equal(failureOf(steps), code);
    });

  test("the same number with other octets", () => {
    const reader = client();
    reader.take(fromHex("e001 0001 0000 01 aa"));
    assert.equal(failureOf(reader.take(fromHex("e001 0001 0001 01 ab"))), "transfer-inconsistent");
  });

  test("the other side's abort, which is not answered", () => {
    const reader = client();
    const steps = reader.take(fromHex(ABORT));
    assert.deepEqual([sent(steps).length, failureOf(steps)], [0, "transfer-aborted"]);
    assert.deepEqual(reader.take(fromHex("e001 0001 0000 01 aa")), []);
  });

  test("silence, after five repetitions", () => {
    const reader = client();
    reader.start(octets(5));
    for (let count = 0; count < 5; count += 1) assert.equal(sent(reader.timeOut()).length, 1);
    assert.equal(failureOf(reader.timeOut()), "line-silent");
  });
});

interface Outcome {
  readonly request: Uint8Array | undefined;
  readonly response: Uint8Array | undefined;
  readonly failure: string | undefined;
  readonly deliveries: number;
}

/** Runs one exchange in blocks both ways over a line with faults, until it is over or nothing moves any more. */
function exchange(
  request: Uint8Array,
  response: Uint8Array,
  windows: readonly [number, number],
  faults: readonly LineFault[],
  rounds: number,
): Outcome & { readonly harmed: number } {
  const line = new LossyLine<"client" | "server">(faults);
  const options = { maxFruitlessRounds: rounds, peerWindowBlocks: 1 };
  const reader = client({ ...options, windowBlocks: windows[0] });
  const meter = server({ ...options, windowBlocks: windows[1] });
  const got: { request?: Uint8Array; response?: Uint8Array; failure?: string; deliveries: number } = { deliveries: 0 };
  const perform = (steps: readonly BlockTransferStep[], at: "client" | "server"): void => {
    for (const step of steps) {
      if (step.kind === "send") line.send(at === "client" ? "server" : "client", step.apdu);
      else if (step.kind === "failed") got.failure = step.error.code;
      else {
        got.deliveries += 1;
        got[at === "client" ? "response" : "request"] = step.apdu;
        if (at === "server") perform(meter.start(response), "server");
      }
    }
  };
  perform(reader.start(request), "client");
  for (let turn = 0; turn < 5000 && got.response === undefined && got.failure === undefined; turn += 1) {
    const frame = line.next();
    if (frame === undefined) perform(reader.timeOut(), "client");
    else perform((frame.to === "client" ? reader : meter).take(frame.octets), frame.to);
  }
  return {
    request: got.request,
    response: got.response,
    failure: got.failure,
    deliveries: got.deliveries,
    harmed: line.harmed,
  };
}

const length = fc.integer({ min: 1, max: 300 });
const window = fc.integer({ min: 1, max: 9 });

test("over a line that loses, repeats and reorders, both messages arrive once and whole", () => {
  fc.assert(
    fc.property(
      length,
      length,
      window,
      window,
      lineFaults(["lost", "twice", "late"], 60),
      (asked, answered, w1, w2, faults) => {
        const result = exchange(octets(asked), octets(answered), [w1, w2], faults, 70);
        assert.equal(result.failure, undefined);
        assert.equal(result.deliveries, 2);
        assert.deepEqual(result.request, octets(asked));
        assert.deepEqual(result.response, octets(answered));
      },
    ),
    { numRuns: 400 },
  );
});

test("damage that no layer below has found ends in an error or in octets for the tag to judge, never in a hang", () => {
  fc.assert(
    fc.property(length, length, window, lineFaults(["damaged", "lost"], 30), (asked, answered, w, faults) => {
      const result = exchange(octets(asked), octets(answered), [w, w], faults, 5);
      assert.ok(result.response !== undefined || result.failure !== undefined);
      if (result.harmed === 0) assert.deepEqual(result.response, octets(answered));
    }),
    { numRuns: 200 },
  );
});

test("whatever octets come, nothing is thrown, and no more is kept than allowed", () => {
  const block = fc
    .record({ control: fc.nat(255), number: fc.nat(70), ack: fc.nat(3), data: fc.uint8Array({ maxLength: 20 }) })
    .map(({ control, number, ack, data }) =>
      concatBytes(Uint8Array.of(0xe0, control, 0, number, 0, ack, data.length), data),
    );
  fc.assert(
    fc.property(
      fc.constantFrom("client" as const, "server" as const),
      fc.array(fc.oneof(block, fc.uint8Array({ maxLength: 12 })), { maxLength: 40 }),
      (role, inputs) => {
        const machine = new BlockTransferMachine({ role, blockBytes: 10, maxApduBytes: 200 });
        if (role === "client") machine.start(octets(30));
        for (const input of inputs)
          for (const step of machine.take(input)) if (step.kind === "complete") assert.ok(step.apdu.length <= 200);
      },
    ),
    { numRuns: 500 },
  );
});

describe("a client as Gurux Java has one", () => {
  /** As it sends a long request: the streaming bit never, its window 1, and 65 535 confirmed with the last block. */
  const blocks = ["e001000100000401020304", "e001000200000405060708", "e0810003ffff02090a"].map(fromHex);
  const answer = fromHex("c501c100");

  test("is answered where the server knows how it departs", () => {
    const meter = server({ quirks: { wantsLastBlockInConfirmations: true, confirmsAllAs65535: true } });
    const [first, second, third] = blocks.map((block) => meter.take(block));
    assert.deepEqual(written(first!), ["1/1 +0 w1 last"]);
    assert.deepEqual(written(second!), ["1/2 +0 w1 last"]);
    assert.deepEqual(third, [{ kind: "complete", apdu: fromHex("0102030405060708090a") }]);
    assert.deepEqual(written(meter.start(answer)), ["2/3 +4 w1 last"]);
  });

  test("is told to stop where it does not: what was never sent cannot be confirmed", () => {
    const meter = server();
    assert.deepEqual(written(meter.take(blocks[0]!)), ["1/1 +0 w1"]);
    meter.take(blocks[1]!);
    const steps = meter.take(blocks[2]!);
    assert.equal(failureOf(steps), "transfer-inconsistent");
    assert.deepEqual(toHex(sent(steps)[0]!), "e0800000000000");
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { apdu, type Data, DecodeError, encode } from "@meterkeep/dlms";
import fc from "fast-check";
import type { KeyRecord } from "../store/records.ts";
import { ClientsRead } from "./read-clients.ts";

type Said =
  | { readonly kind: "data"; readonly value: Data }
  | { readonly kind: "data-access-result"; readonly value: string };

const answer = (result: Said): Uint8Array =>
  encode(apdu, {
    kind: "get-response",
    value: {
      kind: "normal",
      value: { invokeIdAndPriority: { invokeId: 1, confirmed: true, highPriority: true }, result: result as never },
    },
  });
const refusal = (value: string) => answer({ kind: "data-access-result", value });
const partners = (client: number) =>
  answer({
    kind: "data",
    value: {
      type: "structure",
      value: [
        { type: "integer", value: client },
        { type: "long-unsigned", value: 1 },
      ],
    },
  });
const arcs = (id: number): Data => ({
  type: "structure",
  value: [2, 16, 756, 5, 8, 2, id].map((value) => ({ type: "long-unsigned", value })),
});
const octets = (id: number): Data => ({ type: "octet-string", value: Uint8Array.of(0x60, 0x85, 0x74, 5, 8, 2, id) });
const mechanism = (value: Data) => answer({ kind: "data", value });

/** Asks a meter that has these objects and none beside them. */
function ask(objects: Readonly<Record<string, readonly Uint8Array[]>>, known: readonly string[] = []) {
  const read = new ClientsRead([{ purpose: 5, setup: 2, version: 1 } as KeyRecord], known);
  const asked: string[] = [];
  for (let next = read.next; next !== undefined; next = read.next) {
    const { logicalName, attributeId } = next;
    asked.push(`${logicalName}/${attributeId}`);
    const answers = objects[logicalName];
    read.take(answers?.[attributeId === 3 ? 0 : 1] ?? refusal("object-undefined"));
  }
  return { read, asked };
}

test("clients are found by their association objects, with the mechanism as octets or as arcs", () => {
  const { read, asked } = ask({
    "0.0.40.0.1.255": [partners(16), mechanism(octets(0))],
    "0.0.40.0.2.255": [partners(2), mechanism(octets(1))],
    "0.0.40.0.4.255": [partners(4), mechanism(arcs(2))],
    "0.0.40.0.5.255": [partners(5), mechanism(arcs(6))],
    "0.0.40.0.6.255": [partners(6), mechanism(octets(5))],
    "0.0.40.0.128.255": [partners(2), mechanism(octets(1))],
  });
  assert.deepEqual(
    read.clients.map(({ client, object, mechanism: how, known }) => [client, object, how, known]),
    [
      [2, "0.0.40.0.2.255", "low", true],
      [4, "0.0.40.0.4.255", "high", false],
      [5, "0.0.40.0.5.255", "high-sha256", false],
    ],
  );
  assert.deepEqual(read.hidden, []);
  assert.equal(asked.length, 8 + 6, "each object once, and once more where it is there");
});

test("what a meter has and does not tell is said, and so is what is not spoken here", () => {
  const { read } = ask({
    "0.0.40.0.1.255": [refusal("read-write-denied")],
    "0.0.40.0.2.255": [answer({ kind: "data", value: { type: "null-data", value: null } })],
    "0.0.40.0.3.255": [partners(3), mechanism(octets(3))],
    "0.0.40.0.4.255": [partners(4), refusal("read-write-denied")],
    "0.0.40.0.5.255": [partners(-1)],
  });
  assert.deepEqual(read.clients, []);
  assert.deepEqual(
    read.hidden.map((words) => words.slice(0, 48)),
    [
      "the association object 0.0.40.0.1.255 does not t",
      "the association object 0.0.40.0.2.255 does not t",
      "client 3 opens by a mechanism (MD5) that is not ",
      "client 4 opens by a mechanism (that it does not ",
      "the association object 0.0.40.0.5.255 does not t",
    ],
  );
});

test("objects that the profile names are not asked for", () => {
  const { asked } = ask({}, ["0.0.40.0.1.255", "0.0.40.0.128.255"]);
  assert.equal(asked.length, 6);
  assert.ok(!asked.some((one) => one.startsWith("0.0.40.0.1.") || one.startsWith("0.0.40.0.128.")));
});

test("whatever a meter answers, the questions end, and what does not decode is no answer", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 16, maxLength: 16 }), (answers) => {
      const read = new ClientsRead([], []);
      for (const noise of answers) {
        if (read.next === undefined) return;
        try {
          read.take(Uint8Array.of(0xc4, 0x01, 0xc1, 0x00, ...noise));
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
          return;
        }
      }
      assert.equal(read.next, undefined);
    }),
    { numRuns: 3000 },
  );
});

test("an association of short names tells neither its client nor its mechanism: its secret is said to stay, and not that there is none", () => {
  const { read } = ask({ "0.0.40.0.3.255": [refusal("object-class-inconsistent")] });
  assert.deepEqual(read.clients, []);
  assert.deepEqual(read.hidden, [
    "the association object 0.0.40.0.3.255 is one of short names: its secret, where it has one, stays",
  ]);
});

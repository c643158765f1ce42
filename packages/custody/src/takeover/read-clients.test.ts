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
const reference = (...value: readonly number[]) =>
  answer({ kind: "data", value: { type: "octet-string", value: Uint8Array.from(value) } });
const suite = answer({ kind: "data", value: { type: "enum", value: 0 } });

/** Asks a meter that has these objects and none beside them. */
function ask(
  objects: Readonly<Record<string, readonly Uint8Array[]>>,
  known: readonly string[] = [],
  setups: readonly Uint8Array[] = [],
) {
  const read = new ClientsRead([{ purpose: 5, setup: 2, version: 1 } as KeyRecord], known);
  const asked: string[] = [];
  for (let next = read.next; next !== undefined; next = read.next) {
    const { logicalName, attributeId, classId } = next;
    if (classId === 64) {
      read.take(setups[asked.filter((one) => one.startsWith("0.0.43.")).length] ?? refusal("object-undefined"));
      asked.push(logicalName);
      continue;
    }
    asked.push(`${logicalName}/${attributeId}`);
    const answers = objects[logicalName];
    read.take(answers?.[[3, 6, 9].indexOf(attributeId)] ?? refusal("object-undefined"));
  }
  return { read, asked };
}

test("clients are found by their association objects, with the mechanism as octets or as arcs", () => {
  const { read, asked } = ask({
    "0.0.40.0.1.255": [partners(16), mechanism(octets(0))],
    "0.0.40.0.2.255": [partners(2), mechanism(octets(1))],
    "0.0.40.0.4.255": [partners(4), mechanism(arcs(2))],
    "0.0.40.0.5.255": [partners(5), mechanism(arcs(6))],
    "0.0.40.0.6.255": [partners(6), mechanism(octets(5)), reference(0, 0, 43, 0, 0, 255)],
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
  assert.equal(asked.length, 8 + 2 * 6 + 8, "each object once, twice more where it is there, and each further setup");
  assert.deepEqual(read.setups, []);
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
  assert.equal(asked.length, 6 + 8);
  assert.ok(!asked.some((one) => one.startsWith("0.0.40.0.1.") || one.startsWith("0.0.40.0.128.")));
});

test("whatever a meter answers, the questions end, and what does not decode is no answer", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 40, maxLength: 40 }), (answers) => {
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

test("security setups are found by the associations that refer to them, and by themselves where no object of a client is shown", () => {
  const { read } = ask({
    "0.0.40.0.1.255": [partners(1), mechanism(octets(5)), reference(0, 0, 43, 0, 0, 255)],
    "0.0.40.0.2.255": [partners(2), mechanism(octets(5)), reference(0, 0, 43, 0, 4, 255)],
    "0.0.40.0.3.255": [partners(3), mechanism(octets(0)), reference(0, 0, 0, 0, 0, 0)],
  });
  assert.deepEqual([read.setups, read.hidden], [[4], []]);
  const { read: hidden, asked } = ask({}, [], [suite, suite]);
  assert.deepEqual(hidden.setups, [1, 2]);
  assert.deepEqual(
    asked.slice(8),
    [1, 2, 3, 4, 5, 6, 7, 8].map((setup) => `0.0.43.0.${setup}.255`),
  );
  assert.equal(ask({}, [], Array(20).fill(suite)).read.setups.length, 8, "the questions end");
  const gap = ask({}, [], [refusal("object-undefined"), suite, refusal("object-unavailable"), suite]).read;
  assert.deepEqual([gap.setups, gap.hidden], [[2, 4], []], "numbers may be left out");
  const silent = ask({}, [], [suite, refusal("read-write-denied"), suite]);
  assert.deepEqual([silent.read.setups, silent.asked.length], [[1], 8 + 2], "who does not tell of one tells of none");
  assert.match(silent.read.hidden.join(), /security setup 2 it does not tell/);
});

test("a client of a security setup that does not tell of which is said, and so is a setup that may be there", () => {
  const other = reference(0, 1, 43, 0, 0, 255);
  const { read } = ask(
    {
      "0.0.40.0.1.255": [partners(1), mechanism(octets(5)), refusal("read-write-denied")],
      "0.0.40.0.2.255": [partners(2), mechanism(octets(7)), other],
      "0.0.40.0.3.255": [partners(3), mechanism(octets(0)), refusal("read-write-denied")],
    },
    [],
    [refusal("read-write-denied")],
  );
  assert.deepEqual(read.setups, []);
  assert.deepEqual(read.hidden, [
    "the association object 0.0.40.0.1.255 does not tell the security setup of client 1",
    "the association object 0.0.40.0.2.255 does not tell the security setup of client 2",
    "whether it has a security setup 1 it does not tell (read-write-denied)",
  ]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../bytes.ts";
import { sealApdu } from "../client/protection.ts";
import {
  CLIENT_TITLE,
  CLIENTS,
  MeterFault,
  managementConfig,
  NONE,
  openTestSession,
  testMeter,
} from "../testing/meter.test.ts";
import type { Connection } from "./connection.ts";

const SEEDS = [
  "c001c1 0008 0000010000ff 02 00",
  "c001c1 0007 0100630100ff 02 01 02 0204 0600000001 0600000000 120001 120000",
  "c002c100000001",
  "c003c1 02 0008 0000010000ff 02 00 0003 0100010800ff 02 00",
  "c101c1 2328 0000600109ff 02 00 0901aa",
  "c102c1 2328 0000600109ff 02 00 00 00000001 03 090401",
  "c103c1 01 00000002 03 020304",
  "c104c1 01 2328 0000600109ff 02 00 01 0901aa",
  "c301c1 0040 00002b0000ff 02 01 0101 0202 1600 0918 000102030405060708090a0b0c0d0e0f1011121314151617",
  "c304c1 2328 0000600109ff 01 00 00000001 03 091e01",
  "c306c1 01 00000002 01 02",
  "6203800100",
  "0501 02 0208",
  "0502 04 0110 01 02020406000000010600000002 12000112 0000 02 0208",
  "0501 05 0001",
  "0501 06 00 0001 03 010208",
  "0601 02 0208 01 0901aa",
  "0601 07 00 0001 01 0904 01020208",
  "1601 02 0208 01 0901aa",
  "d9 00000001 00 02 01 0003 0100010800ff 02 02 2328 0000600109ff 02 02 00 0901aa",
  "e001 0001 0000 0d c001c100080000010000ff0200",
  "e083 0001 0001 00",
  "10 00000001 00",
  "601da109060760857405080101be10040e01000000065f1f0400401e5dffff",
  "6036a1090607608574050801028a0207808b0760857405080201ac0a80083132333435363738be10040e01000000065f1f04001c032000c8",
].map((hex) => fromHex(hex.replaceAll(" ", "")));

const [PUBLIC_AARQ, SHORT_AARQ] = SEEDS.slice(-2) as [Uint8Array, Uint8Array];

/** Octets changed, cut, doubled or inserted. */
const mutation = fc.array(
  fc.record({
    at: fc.nat(),
    how: fc.constantFrom("set", "cut", "insert", "double"),
    octet: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0x82, 0x84, 0xff), fc.nat(255)),
  }),
  { maxLength: 4 },
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(seed: Uint8Array, mutations: Mutation): Uint8Array {
  let octets = [...seed];
  for (const { at, how, octet } of mutations) {
    const place = octets.length === 0 ? 0 : at % octets.length;
    if (how === "set") octets[place] = octet;
    else if (how === "cut") octets = octets.slice(0, place);
    else if (how === "insert") octets.splice(place, 0, octet);
    else octets = [...octets.slice(0, place), ...octets.slice(0, 40)];
  }
  return Uint8Array.from(octets);
}

const RESPONSE_TAGS = new Set([0x0c, 0x0d, 0x61, 0x63, 0xc4, 0xc5, 0xc7, 0xcc, 0xcd, 0xcf, 0xd8, 0xda, 0xe0]);

function assertResponse(response: Uint8Array | undefined): void {
  if (response === undefined) return;
  assert.ok(RESPONSE_TAGS.has(response[0] as number), `tag 0x${response[0]?.toString(16)}`);
  assert.ok(response.length <= 4096);
}

test("whatever octets come, at whatever time, the server answers or keeps silent, and never throws", () => {
  const input = fc.tuple(
    fc.constantFrom(CLIENTS.public, CLIENTS.reader, CLIENTS.management, CLIENTS.fixed, CLIENTS.short),
    fc.array(fc.tuple(fc.constantFrom(...SEEDS), mutation), { maxLength: 6 }),
    fc.uint8Array({ maxLength: 60 }),
  );
  fc.assert(
    fc.property(input, ([clientSap, requests, noise]) => {
      const { server } = testMeter({ rows: 20 });
      const connection = server.connect(clientSap, 1);
      assertResponse(server.handle(connection, noise));
      if (clientSap === CLIENTS.public) server.handle(connection, PUBLIC_AARQ);
      if (clientSap === CLIENTS.short) server.handle(connection, SHORT_AARQ);
      for (const [seed, mutations] of requests) {
        assertResponse(server.handle(connection, mutate(seed, mutations)));
        for (const octets of server.following(connection)) assertResponse(octets);
      }
    }),
    { numRuns: 600 },
  );
});

test("authentic requests with any content are answered too: the holder of the keys can crash nothing", async () => {
  const meter = testMeter({ rows: 20 });
  const connection = meter.server.connect(CLIENTS.management, 1);
  const exchange = async (apdu: Uint8Array) => meter.server.handle(connection, apdu) ?? fromHex("");
  await openTestSession(meter, CLIENTS.management, managementConfig(), { exchange });
  const { ciphering } = managementConfig();
  assert.ok(ciphering !== undefined);
  const parties = { ciphering, client: CLIENT_TITLE };
  let counter = 100;
  const send = (plain: Uint8Array): Uint8Array | undefined => {
    counter += 1;
    return meter.server.handle(connection, sealApdu(parties, plain, counter, { form: "general-global" }));
  };
  const tags = new Set([0xdb, 0xd8]);
  fc.assert(
    fc.property(fc.constantFrom(...SEEDS.slice(0, 11)), mutation, (seed, mutations) => {
      const plain = mutate(seed, mutations);
      if (plain.length === 0) return;
      const response = send(plain);
      assert.ok(response === undefined || tags.has(response[0] as number));
    }),
    { numRuns: 800 },
  );
  const still: Connection<unknown, unknown>["standing"]["kind"] = connection.standing.kind;
  assert.equal(still, "associated");
  const faults = meter.events.filter(
    (event) => event.kind === "handler-failed" && !(event.error instanceof MeterFault),
  );
  assert.deepEqual(faults, []);
});

test("a client that never associates leaves nothing behind", async () => {
  const { server } = testMeter();
  const connection = server.connect(CLIENTS.public, 1);
  for (let round = 0; round < 100; round += 1) server.handle(connection, SEEDS[round % SEEDS.length] as Uint8Array);
  server.disconnect(connection);
  assert.deepEqual(connection.standing, { kind: "idle" });
  await openTestSession(testMeter(), CLIENTS.public, NONE);
});

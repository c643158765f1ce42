import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  fileOf,
  type TestShipmentOptions,
  testManufacturer,
  testMeters,
  trailer,
  writeShipment,
} from "../testing/shipment-writer.ts";
import { testRecipient } from "../testing/test-recipient.ts";
import { linesOf, MAX_LINE_BYTES } from "./lines.ts";
import { readShipment, type ShipmentItem, type ShipmentTrust } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";

const maker = testManufacturer();
const recipient = testRecipient();
const trust: ShipmentTrust = { manufacturers: [maker.trusted], recipient };
const meters = testMeters(5);

const write = (options: TestShipmentOptions = {}) => writeShipment(maker, recipient.publicKeys, meters, options);

async function read(lines: readonly string[], chunkBytes = 100_000): Promise<ShipmentItem[]> {
  return readOctets(fileOf(lines), chunkBytes);
}

async function readOctets(octets: Uint8Array, chunkBytes = 100_000): Promise<ShipmentItem[]> {
  const chunks = Array.from({ length: Math.ceil(octets.length / chunkBytes) }, (_, at) =>
    octets.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  );
  const items: ShipmentItem[] = [];
  for await (const item of readShipment(linesOf(chunks), trust)) items.push(item);
  return items;
}

async function refused(lines: readonly string[] | Uint8Array, code: string, line: number, systemTitle?: string) {
  await assert.rejects(lines instanceof Uint8Array ? readOctets(lines) : read(lines), (error: unknown) => {
    assert.ok(error instanceof ShipmentRefusal, String(error));
    assert.deepEqual([error.code, error.line], [code, line], error.message);
    if (systemTitle !== undefined) assert.equal(error.systemTitle, systemTitle);
    return true;
  });
}

const swap = (lines: string[], one: number, other: number) => {
  [lines[one], lines[other]] = [lines[other] as string, lines[one] as string];
  return lines;
};
const title = (line: number) => meters[line - 1]?.systemTitle as string;

test("a shipment is read whole, whatever the chunks it comes in", async () => {
  const lines = write();
  for (const chunkBytes of [1, 7, 1000, 1_000_000]) {
    const items = await read(lines, chunkBytes);
    assert.deepEqual(
      items.map(({ kind }) => kind),
      ["header", "meter", "meter", "meter", "meter", "meter", "verified"],
    );
    const shipped = items.flatMap((item) => (item.kind === "meter" ? [item.meter] : []));
    assert.deepEqual(
      shipped.map(({ keys }) => keys.map(({ key }) => key.lend((bytes) => Buffer.from(bytes).toString("hex")))),
      meters.map(({ keys }) => keys.map((key) => Buffer.from(key).toString("hex"))),
    );
    assert.deepEqual(shipped[2]?.serialNumber, meters[2]?.serialNumber);
  }
});

test("an ECDSA signature by another key is refused", async () => {
  await refused(
    writeShipment({ ...testManufacturer(), trusted: maker.trusted, mldsa: maker.mldsa }, recipient.publicKeys, meters),
    "shipment-signature-wrong",
    6,
  );
});

test("an ML-DSA signature by another key is refused", async () => {
  await refused(
    writeShipment({ ...testManufacturer(), trusted: maker.trusted, ecdsa: maker.ecdsa }, recipient.publicKeys, meters),
    "shipment-signature-wrong",
    6,
  );
});

test("signatures over another shipment are refused", async () => {
  const [lines, others] = [write(), write()];
  await refused([...lines.slice(0, -1), others.at(-1) as string], "shipment-root-wrong", 6);
});

test("two records that changed places are refused, and the first is named", async () => {
  await refused(swap(write(), 2, 3), "shipment-line-out-of-order", 2, title(3));
});

test("records that swapped their line numbers too are refused: their keys do not unseal there", async () => {
  const lines = swap(write(), 2, 3).map((line, at) =>
    at === 2 || at === 3 ? line.replace(/"n":\d/, `"n":${at}`) : line,
  );
  await refused(
    [...lines.slice(0, -1), trailer(maker, lines.slice(0, -1), 5)],
    "meter-keys-not-authentic",
    2,
    title(3),
  );
});

test("keys that swapped their records are refused even when the maker signed it", async () => {
  const keysOf = (line: string) => /"keys":"([^"]+)"/.exec(line)?.[1] as string;
  const lines = write();
  const [two, four] = [keysOf(lines[2] as string), keysOf(lines[4] as string)];
  lines[2] = (lines[2] as string).replace(two, four);
  lines[4] = (lines[4] as string).replace(four, two);
  await refused(
    [...lines.slice(0, -1), trailer(maker, lines.slice(0, -1), 5)],
    "meter-keys-not-authentic",
    2,
    title(2),
  );
});

test("a fact changed beside its keys is refused", async () => {
  const lines = write({
    line: (text, line) => (line === 3 ? text.replace('"firmware":"1.0"', '"firmware":"6.6"') : text),
  });
  await refused(lines, "meter-keys-not-authentic", 3, title(3));
});

test("a holder struck off the list is refused", async () => {
  const lines = write({ line: (text) => text.replace('"holders":["Test Meters"]', '"holders":["Somebody"]') });
  await refused(lines, "meter-keys-not-authentic", 1, title(1));
});

test("one meter more than announced is refused and named", async () => {
  await refused(write({ header: { count: 4 } }), "shipment-count-wrong", 5, title(5));
});

test("one meter less than announced is refused", async () => {
  const lines = write({ header: { count: 6 } });
  await refused(lines, "shipment-count-wrong", 6);
  await refused(write().toSpliced(3, 1), "shipment-line-out-of-order", 3, title(4));
  await refused(write().toSpliced(5, 1), "shipment-count-wrong", 5);
});

test("a trailer with another count is refused", async () => {
  await refused(write({ trailer: { count: 4 } }), "shipment-count-wrong", 6);
});

test("a shipment for another recipient is refused", async () => {
  const other = testRecipient();
  await refused(writeShipment(maker, other.publicKeys, meters), "shipment-recipient-wrong", 0);
});

test("a seal that was made for another recipient is refused", async () => {
  const other = testRecipient();
  const named = { ...other.publicKeys, keyId: recipient.publicKeys.keyId };
  await refused(writeShipment(maker, named, meters), "shipment-malformed", 0);
});

test("a manufacturer that configuration does not name is refused", async () => {
  await refused(writeShipment(testManufacturer(), recipient.publicKeys, meters), "shipment-manufacturer-unknown", 0);
});

test("a trusted key under another maker's letters is refused", async () => {
  const { keyId, name } = maker.trusted;
  await refused(write({ header: { manufacturer: { flag: "XYZ", name, keyId } } }), "shipment-manufacturer-unknown", 0);
});

test("a shipment of several recipients opens for each of them, and for nobody else", async () => {
  const other = testRecipient();
  const lines = write({ others: [other.publicKeys] });
  assert.equal((await read(lines)).length, 7);
  const theirs: ShipmentItem[] = [];
  for await (const item of readShipment(linesOf([fileOf(lines)]), { ...trust, recipient: other })) theirs.push(item);
  assert.equal(theirs.length, 7);
  const stranger = { ...trust, recipient: testRecipient() };
  await assert.rejects(
    async () => {
      for await (const item of readShipment(linesOf([fileOf(lines)]), stranger)) void item;
    },
    { code: "shipment-recipient-wrong" },
  );
});

test("a content key that was sealed for another recipient or shipment does not open", async () => {
  const other = testRecipient();
  const swapped = write({
    others: [other.publicKeys],
    line: (text, line) => {
      if (line !== 0) return text;
      const header = JSON.parse(text) as { seal: { recipients: { keyId: string }[] } };
      const [one, two] = header.seal.recipients as [{ keyId: string }, { keyId: string }];
      [one.keyId, two.keyId] = [two.keyId, one.keyId];
      return JSON.stringify(header);
    },
  });
  await refused(swapped, "shipment-malformed", 0);
  await refused(write({ header: { shipment: "00".repeat(16) } }), "shipment-malformed", 0);
});

test("check values tell that the keys are those that the maker listed", async () => {
  const wrong = (check: readonly string[]) => ["00".repeat(8), ...check.slice(1)];
  await refused(
    write({ check: (check, line) => (line === 4 ? wrong(check) : check) }),
    "meter-check-value-wrong",
    4,
    title(4),
  );
  await refused(
    write({ check: (check, line) => (line === 4 ? check.slice(1) : check) }),
    "meter-check-value-wrong",
    4,
    title(4),
  );
});

test("of a fleet in service the unicast key and the counter may be all that is known; of new meters neither is taken", async () => {
  const counter = Buffer.from("fe0400001388", "hex");
  const onlyUnicast = (kind: string, more = counter) =>
    write({
      header: { kind },
      block: (block) => Buffer.concat([block.subarray(0, 18), more]),
      check: (check) => check.slice(0, 1),
    });
  const items = await read(onlyUnicast("fleet"));
  const first = items.find((item) => item.kind === "meter");
  assert.ok(first?.kind === "meter");
  assert.deepEqual([first.meter.keys.length, first.meter.counter], [1, 5000]);
  await refused(onlyUnicast("transfer"), "meter-keys-incomplete", 1);
  await refused(onlyUnicast("delivery"), "meter-keys-incomplete", 1);
  await refused(onlyUnicast("fleet", Buffer.from("fe03001388", "hex")), "meter-keys-incomplete", 1);
  await refused(onlyUnicast("loan"), "shipment-malformed", 0);
});

test("another version is refused", async () => {
  await refused(write({ header: { version: 1 } }), "shipment-version-unknown", 0);
});

test("anything after the trailer is refused", async () => {
  const lines = write();
  await refused([...lines, lines[1] as string], "shipment-trailing-octets", 7);
  await refused([...lines, ""], "shipment-trailing-octets", 7);
  await refused(Buffer.concat([fileOf(lines), Buffer.from("{")]), "shipment-truncated", 7);
});

test("a file that is cut off is refused wherever it ends", async () => {
  const octets = fileOf(write());
  await refused(octets.subarray(0, octets.length - 1), "shipment-truncated", 6);
  await refused(write().slice(0, 4), "shipment-truncated", 4);
  await refused([], "shipment-truncated", 0);
});

test("a line over the limit is refused before it is kept", async () => {
  await refused(Buffer.alloc(MAX_LINE_BYTES + 1, 0x20), "shipment-line-too-long", 0);
});

test("malformed lines are refused with the field that is wrong", async () => {
  const spoil = (line: number, from: RegExp | string, to: string) =>
    write({ line: (text, at) => (at === line ? text.replace(from, to) : text) });
  await refused(spoil(2, /}$/, ""), "shipment-malformed", 2);
  await refused(spoil(2, '"securitySuite":0', '"securitySuite":3'), "shipment-malformed", 2, title(2));
  await refused(spoil(2, '"securitySuite":0', '"securitySuite":"0"'), "shipment-malformed", 2, title(2));
  await refused(spoil(2, /"systemTitle":"\w+"/, '"systemTitle":"545354000000000g"'), "shipment-malformed", 2);
  await refused(spoil(2, /"keys":"/, '"keys":"='), "shipment-malformed", 2, title(2));
  await refused(spoil(2, '"holders":["Test Meters"]', '"holders":[]'), "shipment-malformed", 2, title(2));
  await refused(spoil(0, '"count":5', '"count":-5'), "shipment-malformed", 0);
  const bytes = Buffer.from(fileOf(write()));
  bytes[30] = 0xff;
  await refused(bytes, "shipment-malformed", 0);
});

test("duplicate names, unknown fields, other orders and other spacing are not canonical", async () => {
  const spoil = (from: RegExp | string, to: string) =>
    write({ line: (text, at) => (at === 1 ? text.replace(from, to) : text) });
  await refused(spoil('"model":', '"model":"x","model":'), "shipment-not-canonical", 1, title(1));
  await refused(spoil("{", '{"extra":1,'), "shipment-not-canonical", 1, title(1));
  await refused(spoil('"model":', '"model": '), "shipment-not-canonical", 1, title(1));
  await refused(spoil('"T-100"', '"\\u0054-100"'), "shipment-not-canonical", 1, title(1));
  await refused(spoil("{", '{"__proto__":{},'), "shipment-not-canonical", 1, title(1));
});

test("a key block that is not complete is refused", async () => {
  const cut = (to: (block: Buffer) => Buffer) => write({ block: (block, line) => (line === 4 ? to(block) : block) });
  await refused(
    cut((block) => block.subarray(0, 54)),
    "meter-keys-incomplete",
    4,
    title(4),
  );
  await refused(
    cut((block) => block.subarray(0, 60)),
    "meter-keys-incomplete",
    4,
    title(4),
  );
  await refused(
    cut((block) => Buffer.concat([block, block.subarray(0, 18)])),
    "meter-keys-incomplete",
    4,
    title(4),
  );
  await refused(
    cut((block) => Buffer.concat([block.subarray(18), block.subarray(0, 18)])),
    "meter-keys-incomplete",
    4,
  );
  await refused(
    cut(() => Buffer.from("000f", "hex")),
    "meter-keys-incomplete",
    4,
    title(4),
  );
});

test("secrets of clients follow the keys, one a client and rising; anything else in a block is refused", async () => {
  const withMore = (hex: string) =>
    write({ block: (block, line) => (line === 4 ? Buffer.concat([block, Buffer.from(hex, "hex")]) : block) });
  const items = await read(withMore("0503224142060330aabb"));
  const fourth = items.find((item) => item.kind === "meter" && item.meter.line === 4);
  const told = (fourth?.kind === "meter" ? fourth.meter.keys : [])
    .slice(4)
    .map(({ purpose, client, key }) => [purpose, client, key.lend((o) => [...o])]);
  assert.deepEqual(told, [
    [5, 34, [0x41, 0x42]],
    [6, 48, [0xaa, 0xbb]],
  ]);
  for (const wrong of [
    "0503304142060322aabb",
    "0503224142060322aabb",
    "050122",
    "05030041",
    "0503ff4142",
    "0403224142",
    "05032241",
  ])
    await refused(withMore(wrong), "meter-keys-incomplete", 4, title(4));
});

test("no octet of a shipment can be changed without a refusal", async () => {
  const octets = fileOf(write());
  await fc.assert(
    fc.asyncProperty(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const spoilt = new Uint8Array(octets);
      spoilt[at] = (spoilt[at] as number) ^ change;
      await assert.rejects(readOctets(spoilt), ShipmentRefusal);
    }),
    { numRuns: 150 },
  );
});

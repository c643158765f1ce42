import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { trustedManufacturer } from "@meterkeep/custody";
import {
  carryTakeover,
  HEAD_END,
  type TestCustody,
  TestMeter,
  type TrustedManufacturer,
  withTestCustody,
} from "@meterkeep/custody/testing";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { CHECKOUT } from "../src/start-meterkeep.ts";

// A fleet that is in service elsewhere, as lists of other people have it: made into shipments by the program that is there for it, and
// taken into custody from those.

const PASSWORD = "customer-4711";
const USED = 70_000;
const hex = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).toString("hex");
const MAPPING = {
  fields: { systemTitle: "Title", logicalDeviceName: "Name", serialNumber: "Serial", profile: { value: "idis-p2" } },
  keys: { GUEK: "DEK", GBEK: "BK", GAK: "AK", KEK: "MK" },
  counter: "FC",
};

/** What is known of a meter in service: of one without its master less. */
const rowOf = ({ systemTitle: title, logicalDeviceName, serialNumber, keys }: TestMeter, hasMaster: boolean) => ({
  Title: title,
  Name: logicalDeviceName,
  Serial: serialNumber,
  DEK: hex(keys[0]),
  BK: hasMaster ? hex(keys[1]) : "",
  AK: hex(keys[2]),
  MK: hasMaster ? hex(keys[3]) : "",
  FC: String(USED),
});
type Row = ReturnType<typeof rowOf>;

function csvOf(rows: readonly Row[]): string {
  return [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))]
    .map((row) => row.join(","))
    .join("\r\n");
}

/** As the format is described in public: XML under AES-128-CBC, whose key and vector are the password. */
function kemOf(rows: readonly Row[]): string {
  const meters = rows.map((row) => Object.entries(row).map(([name, value]) => `<${name}>${value}</${name}>`));
  const plain = Buffer.from(
    `<?xml version="1.0"?><MetersInOrder>${meters.map((one) => `<Meter>${one.join("")}</Meter>`).join("")}</MetersInOrder>`,
  );
  const key = Buffer.alloc(16);
  key.write(PASSWORD);
  const cipher = createCipheriv("aes-128-cbc", key, key).setAutoPadding(false);
  const padded = Buffer.concat([plain, Buffer.alloc(16 - (plain.length % 16))]);
  const value = Buffer.concat([cipher.update(padded), cipher.final()]).toString("base64");
  return `<?xml version="1.0" encoding="utf-8"?><EncryptedData Type="http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc" />
    <CipherData><CipherValue>${value}</CipherValue></CipherData></EncryptedData>`;
}

/** Converts a list by the program, in a process of its own; gives the shipment. */
function converted(folder: string, from: "csv" | "kem", list: string, custody: TestCustody): Uint8Array {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { ecdh, mlkem } = custody.custody.recipient;
  const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64url");
  const keyId = createHash("sha256").update(ecdh).update(mlkem).digest("hex");
  const recipient = JSON.stringify({ ecdhPublicKey: base64(ecdh), mlkemPublicKey: base64(mlkem), keyId });
  const given = {
    from,
    mapping: write("mapping.json", JSON.stringify(MAPPING)),
    recipient: write("recipient.json", recipient),
    signing: join(folder, "signing"),
    sender: "Migration",
    flag: "MIG",
    customer: "Stadtwerke",
    kind: "fleet",
    output: join(folder, `${from}.mks`),
    "password-file": write("password", `${PASSWORD}\n`),
  };
  const args = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
  const program = `${CHECKOUT}/apps/factory/src/convert/main.ts`;
  execFileSync(process.execPath, [program, ...args, "--", write(`list.${from}`, list)], { stdio: "pipe" });
  const file = new Uint8Array(readFileSync(given.output));
  for (const key of list.match(/[0-9a-f]{32}/g) ?? []) assert.ok(!Buffer.from(file).includes(key), "a key is in clear");
  return file;
}

for (const from of ["csv", "kem"] as const)
  test(`a running fleet comes into custody from a ${from === "csv" ? "mapped CSV" : ".kem file"}, with its live keys and above the counters used; what came with its master is taken over and read`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "meterkeep-converted-"));
    const manufacturers: TrustedManufacturer[] = [];
    try {
      await withTestCustody(
        async (custody) => {
          const [whole, partly] = ["5453540000000B01", "5453540000000B02"].map(
            (title) => new TestMeter({ systemTitle: title }),
          ) as [TestMeter, TestMeter];
          for (const meter of [whole, partly]) meter.usedUpTo(USED);
          const before = whole.keys.map(hex);
          const rows = [rowOf(whole, true), rowOf(partly, false)];
          const file = converted(folder, from, from === "csv" ? csvOf(rows) : kemOf(rows), custody);
          manufacturers.push(
            trustedManufacturer(JSON.parse(readFileSync(join(folder, "signing", "manufacturer.json"), "utf8"))),
          );
          const { service } = custody.custody;
          const { upload } = await service.beginShipment({ utility: "stadtwerke", island: "mainland" }, HEAD_END);
          await service.shipmentChunk({ upload, bytes: file }, HEAD_END);
          const outcome = await service.commitShipment({ upload }, HEAD_END);
          assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
          const held = async ({ systemTitle: title }: TestMeter) => {
            const stored = await custody.store.load(title);
            assert.ok(stored);
            const secrets = await custody.vault.unseal(
              stored.keys.map((key) => ({ place: { ...key, systemTitle: fromHex(title) }, sealed: key.sealed })),
            );
            return { origin: stored.meter.origin, keys: secrets.map((secret) => secret.lend(hex)) };
          };
          assert.deepEqual(await held(whole), { origin: "shipped", keys: before });
          const ofPartly = [partly.keys[0], partly.keys[2]].map(hex);
          assert.deepEqual(await held(partly), { origin: "added", keys: ofPartly }, "it is never taken over");

          const { state } = await carryTakeover(custody, whole);
          assert.equal(state.verdict, "proven", state.sentence);
          for (const [purpose, key] of whole.keys.entries()) assert.notEqual(hex(key), before[purpose]);
          const title = systemTitle(fromHex(whole.systemTitle));
          const opened = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
          const line = whole.connect(opened.clientSap, opened.serverSap);
          for (let send = opened.apdu; ; ) {
            const received = line.exchange(send);
            assert.ok(received, "it takes the counter");
            const advance = await service.advanceSession({ session: opened.session, received }, HEAD_END);
            if (advance.kind === "established") break;
            assert.ok(advance.kind === "send", JSON.stringify(advance));
            send = advance.apdu;
          }
          assert.ok(whole.lowestCounter > USED);
        },
        undefined,
        { manufacturers },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

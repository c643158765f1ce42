import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { recipientOf } from "../testing/recipient.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { type ConvertOptions, convert } from "./convert.ts";
import { importShipment } from "./import.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-shipment-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const mapping = { fields: { systemTitle: "T", profile: { value: "idis-p2" } }, keys: { GUEK: "K" } };

function files(folder: string, list: string): ConvertOptions {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  write("fleet.csv", list);
  return {
    from: "csv",
    mapping: write("mapping.json", JSON.stringify(mapping)),
    recipient: [write("recipient.json", recipientOf(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey))],
    signing: join(folder, "signing"),
    sender: "Migration",
    flag: "MIG",
    customer: "Stadtwerke",
    kind: "fleet",
    output: join(folder, "fleet.mks"),
    json: true,
  };
}

test("a list is converted, handed over once, and then the exchange has it under its id", () =>
  withFolder(async (folder) => {
    const key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    const options = files(folder, `T,K\n4D49470000000001,${key}\n`);
    const terminal = scratchTerminal();
    await convert(join(folder, "fleet.csv"), options, terminal);
    assert.equal(terminal.exitStatus, 0, terminal.err());
    const { shipment, meters } = JSON.parse(terminal.out()) as { shipment: string; meters: number };
    assert.equal(meters, 1);
    assert.doesNotMatch(readFileSync(options.output, "utf8"), new RegExp(key));
    const exchange = join(folder, "exchange");
    mkdirSync(join(exchange, "shipments"), { recursive: true });
    mkdirSync(join(folder, "operator"));
    const channel = { socketPath: "/nowhere", certificate: "c", keyFile: "k", custodianCertificate: "c" };
    const config = { channel, exchangeDirectory: exchange, adminSocket: "/nowhere", address: "http://localhost" };
    writeFileSync(join(folder, "operator", "config.json"), JSON.stringify(config));
    for (const isNew of [true, false]) {
      const told = scratchTerminal();
      await importShipment(options.output, { state: folder, json: true }, told);
      assert.deepEqual(JSON.parse(told.out()), { shipment, isNew });
    }
    assert.deepEqual(readdirSync(join(exchange, "shipments")), [`${shipment}.mks`]);
    await assert.rejects(importShipment(join(folder, "fleet.csv"), { state: folder }, terminal), {
      code: "input-unreadable",
    });
  }));

test("a list with lines that cannot be taken is refused, and each is named", () =>
  withFolder(async (folder) => {
    const options = files(folder, "T,K\n4D49470000000001,00\nshort,00\n");
    const terminal = scratchTerminal();
    await convert(join(folder, "fleet.csv"), options, terminal);
    assert.equal(terminal.exitStatus, 1);
    assert.match(terminal.err(), /line 2: its GUEK has 1 octets[\s\S]*line 3: "SHORT" is no system title/);
  }));

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ImportedMeter } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import {
  EventHub,
  HEADEND_MIGRATIONS,
  Inventory,
  MeterDirectory,
  meterSummaries,
  openScope,
  postgresWorkQueue,
  WALL_SOURCE_CLOCK,
} from "@meterkeep/headend";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { Commissioning, type CommissioningPorts } from "./commissioning.ts";

const title = (n: number): string => `4C475A000000000${n}`;

function shipped(n: number, simulated: boolean): ImportedMeter {
  return {
    systemTitle: systemTitle(fromHex(title(n))),
    logicalDeviceName: "LGZ",
    serialNumber: `S${n}`,
    model: "M",
    hardwareRevision: "1",
    firmware: "1",
    profile: "idis-p2",
    securitySuite: 0,
    manufacturer: { flag: "LGZ", name: "Maker" },
    simulated,
    holders: ["Maker"],
  };
}

/** A custodian that refuses the shipment `bad` and has imported `maker` (one real meter) and `town` (one simulated). */
function scriptedCustodian(): CommissioningPorts["custodian"] & { readonly uploads: () => number } {
  let text = "";
  let uploads = 0;
  const meters: Readonly<Record<string, readonly ImportedMeter[]>> = {
    maker: [shipped(1, false)],
    town: [shipped(2, true)],
  };
  return {
    uploads: () => uploads,
    beginShipment: async () => {
      uploads += 1;
      text = "";
      return { upload: "1" };
    },
    shipmentChunk: async ({ bytes }) => {
      text += new TextDecoder().decode(bytes);
      return { received: bytes.length };
    },
    commitShipment: async () => {
      const { shipment } = JSON.parse(text) as { shipment: string };
      const found = meters[shipment];
      return found === undefined
        ? { kind: "refused", code: "shipment-signature-wrong", line: 2, message: "the signature is wrong" }
        : { kind: "imported", shipment, count: found.length, meters: [...found], warnings: [] };
    },
    shipmentMeters: async () => ({ meters: [] }),
  };
}

test("what is wrong with one file stands aside under its name, and everything else is taken in", async () => {
  await using database = await openTestDatabase({ migrations: HEADEND_MIGRATIONS });
  const { pool } = database;
  const scope = await openScope(pool, "utility", "island");
  const exchangeDirectory = mkdtempSync(join(tmpdir(), "meterkeep-exchange-"));
  for (const folder of ["shipments", "addresses"]) mkdirSync(join(exchangeDirectory, folder));
  const put = (file: string, value: unknown): void =>
    writeFileSync(join(exchangeDirectory, file), typeof value === "string" ? value : JSON.stringify(value));
  try {
    const inventory = new Inventory(pool, scope);
    const directory = new MeterDirectory(inventory);
    const events = new EventHub({ run: "r", keptEvents: 50, keptLines: 50, now: () => new Date(0) });
    const custodian = scriptedCustodian();
    const steps: string[] = [];
    const commissioning = new Commissioning({
      sql: pool,
      scope,
      exchangeDirectory,
      custodian,
      inventory,
      directory,
      queue: postgresWorkQueue(pool, scope),
      events,
      now: () => 0,
      onConcentrators: () => undefined,
      onReturned: async () => undefined,
      onStep: (text) => steps.push(text),
    });
    put("shipments/a-bad.mks", '{"shipment":"bad","count":1}\n');
    put("shipments/b-maker.mks", '{"shipment":"maker","count":1}\n');
    put("shipments/c-town.mks", '{"shipment":"town","count":1}\n');
    put("grid.json", '{"utility": "u",\n "island": }');
    put("addresses.json", { meters: [{ systemTitle: title(2), host: "127.0.0.1", port: "7" }] });
    put("addresses/maker.json", { meters: [{ systemTitle: title(1), host: "10.0.0.1", port: 4059 }] });
    await commissioning.takeIn();

    const lines = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, 0);
    assert.deepEqual(
      lines.map(({ systemTitle: meter, kind, role, takeover }) => [meter, kind, role, takeover]),
      [
        [title(1), "real", "home", "shipped"],
        [title(2), "simulated", "home", "shipped"],
      ],
    );
    assert.deepEqual(directory.find(title(1))?.route, { kind: "tcp", host: "10.0.0.1", port: 4059 });
    const texts = commissioning.warnings.map(({ text }) => text);
    assert.equal(texts.length, 3);
    assert.match(texts[0] ?? "", /^shipments\/a-bad\.mks .* shipment-signature-wrong in line 2/);
    assert.match(texts[1] ?? "", /^grid\.json .* line 2, column 12/);
    assert.match(texts[2] ?? "", /^addresses\.json .* meters\[0\]: "port" is not a number/);
    assert.deepEqual(
      events
        .recent(50)
        .map(({ type, severity }) => `${type} ${severity}`)
        .sort(),
      [...Array(2).fill("import notice"), ...Array(3).fill("import warning")],
    );

    // A refused file is not asked about again until it changes.
    const { length } = steps;
    const uploads = custodian.uploads();
    await commissioning.takeIn();
    assert.deepEqual([steps.length, custodian.uploads()], [length, uploads]);
    assert.equal(await commissioning.hasNews(), false);
    // The town says where its own meters are, and has no say about real ones.
    const everywhere = [title(1), title(2)].map((systemTitle) => ({ systemTitle, host: "127.0.0.1", port: 7777 }));
    put("addresses.json", { meters: everywhere });
    assert.equal(await commissioning.hasNews(), true);
    await commissioning.takeIn();
    assert.equal(commissioning.warnings.length, 2);
    assert.deepEqual(directory.find(title(2))?.route, { kind: "tcp", host: "127.0.0.1", port: 7777 });
    assert.deepEqual(directory.find(title(1))?.route, { kind: "tcp", host: "10.0.0.1", port: 4059 });
  } finally {
    rmSync(exchangeDirectory, { recursive: true });
  }
});

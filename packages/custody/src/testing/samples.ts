import { randomBytes } from "node:crypto";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { KeyRecord, MeterRecord, Purpose, ShipmentRecord } from "../store/records.ts";
import type { StagedMeter } from "../store/store.ts";

/** A shipment for tests of stores. */
export const sampleShipment: ShipmentRecord = {
  utility: "stadtwerke",
  island: "mainland",
  manufacturerKey: "ab".repeat(32),
  shipment: "00112233445566778899aabbccddeeff",
  manufacturer: "Test Meters",
  customer: "Stadtwerke Test",
  created: "2026-11-21T00:00:00Z",
  meters: 3,
  root: "cd".repeat(32),
  importedAt: 1_795_000_000_000,
};

/** A meter for tests of stores: its keys are random octets that open with no vault. */
export function sampleMeter(number: number, change: Partial<MeterRecord> = {}): StagedMeter {
  const meter: MeterRecord = {
    utility: "stadtwerke",
    island: "mainland",
    systemTitle: `545354${number.toString(16).toUpperCase().padStart(10, "0")}`,
    origin: "shipped",
    logicalDeviceName: `TST${number}`,
    serialNumber: String(number),
    model: "T-100",
    hardwareRevision: "A",
    firmware: "1.0",
    profile: "idis-p2",
    securitySuite: 0,
    manufacturer: { flag: "TST", name: "Test Meters" },
    holders: ["Test Meters", "Ünïted, {Shippers}"],
    shipment: { id: "00112233445566778899aabbccddeeff", line: number },
    createdAt: 1_795_000_000_000,
    ...change,
  };
  const keys = [0, 1, 2, 3].map((purpose) => sampleKey(meter, purpose as Purpose));
  return { meter, keys, checkValues: [0, 1, 2].map(() => randomBytes(32)) };
}

export function sampleKey(meter: MeterRecord, purpose: Purpose, change: Partial<KeyRecord> = {}): KeyRecord {
  const { utility, island, systemTitle } = meter;
  return {
    utility,
    island,
    systemTitle,
    setup: 0,
    purpose,
    version: 1,
    state: "active",
    origin: "imported",
    sealed: new Uint8Array(randomBytes(40)),
    createdAt: 1_795_000_000_000,
    provenAt: undefined,
    ...change,
  };
}

export function sampleEntry(kind: string, body: unknown = {}): LedgerDraft {
  return { at: 1_795_000_000_000, kind, principal: "test", utility: "*", island: "*", body };
}

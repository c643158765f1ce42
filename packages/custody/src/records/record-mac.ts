import { timingSafeEqual } from "node:crypto";
import { fromHex } from "@meterkeep/dlms";
import type { SettledSeal, StoredSeal } from "../authority/store/records.ts";
import type {
  CounterRecord,
  MeterRecord,
  SetupPlace,
  StoredCounter,
  StoredTakeover,
  TakeoverRecord,
  WindowRecord,
} from "../store/records.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";

/** Binds journals to where they stand and what they say. */
export async function withTakeoverMacs(
  vault: Pick<Vault, "authenticate">,
  records: readonly TakeoverRecord[],
): Promise<StoredTakeover[]> {
  const macs = await vault.authenticate(records.map(takeoverText));
  return records.map((record, at) => ({ ...record, mac: macs[at] }));
}

/** Binds send counters to where they stand and what they say. */
export async function withCounterMacs(
  vault: Pick<Vault, "authenticate">,
  records: readonly CounterRecord[],
): Promise<StoredCounter[]> {
  const macs = await vault.authenticate(records.map(counterText));
  return records.map((record, at) => ({ ...record, mac: macs[at] }));
}

/** Binds what is known of meters to their places. */
export async function withMeterMacs(
  vault: Pick<Vault, "authenticate">,
  records: readonly MeterRecord[],
): Promise<MeterRecord[]> {
  const macs = await vault.authenticate(records.map(meterText));
  return records.map((record, at) => ({ ...record, mac: macs[at] }));
}

/** Binds windows of accepted counters to where they stand and what they say. */
export async function withWindowMacs(
  vault: Pick<Vault, "authenticate">,
  records: readonly WindowRecord[],
): Promise<WindowRecord[]> {
  const macs = await vault.authenticate(records.map(windowText));
  return records.map((record, at) => ({ ...record, mac: macs[at] }));
}

/** MACs of the ledger's marks of windows: how far each has gone, in its place. */
export function acceptedMacs(
  vault: Pick<Vault, "authenticate">,
  windows: readonly (SetupPlace & Pick<WindowRecord, "keyVersion" | "highest">)[],
): Promise<Uint8Array[]> {
  return vault.authenticate(
    windows.map((window) =>
      boundData(
        "meterkeep-record-1/accepted-mark",
        ...placeFields(window),
        String(window.keyVersion),
        String(window.highest),
      ),
    ),
  );
}

/** Binds seals to all they say, what became of them included. */
export async function withSealMacs(
  vault: Pick<Vault, "authenticate">,
  seals: readonly SettledSeal[],
): Promise<(StoredSeal & { readonly mac: Uint8Array })[]> {
  const macs = await vault.authenticate(seals.map(sealText));
  return seals.map((seal, at) => ({ ...seal, mac: macs[at] as Uint8Array }));
}

/** Compares two MACs; one that is missing equals none. */
export function sameMac(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && one.length === other.length && timingSafeEqual(one, other);
}

function takeoverText(record: TakeoverRecord): Uint8Array {
  const { takeover, revision, journal, openedAt, closedAt } = record;
  const closed = closedAt === undefined ? "" : String(closedAt);
  return boundData(
    record.subject === undefined ? "meterkeep-record-1/takeover" : "meterkeep-record-1/enrolment",
    ...placeFields(record),
    String(takeover),
    String(revision),
    journal,
    String(openedAt),
    closed,
  );
}

function counterText(record: CounterRecord): Uint8Array {
  const { keyVersion, next } = record;
  return boundData("meterkeep-record-1/send-counter", ...placeFields(record), String(keyVersion), String(next));
}

/** Everything but the standing, which follows from the ledger. */
function meterText(record: MeterRecord): Uint8Array {
  const { manufacturer, shipment } = record;
  return boundData(
    "meterkeep-record-1/meter",
    record.utility,
    record.island,
    fromHex(record.systemTitle),
    record.origin,
    record.logicalDeviceName,
    record.serialNumber,
    record.model,
    record.hardwareRevision,
    record.firmware,
    record.profile,
    String(record.securitySuite),
    manufacturer.flag,
    manufacturer.name,
    JSON.stringify(record.holders),
    shipment === undefined ? "" : `${shipment.line}/${shipment.id}`,
    String(record.createdAt),
    String(record.counterFloor ?? 0),
    ...(record.anchors ?? []),
  );
}

function windowText(record: WindowRecord): Uint8Array {
  const { keyVersion, highest, seen } = record;
  return boundData(
    "meterkeep-record-1/receive-window",
    ...placeFields(record),
    String(keyVersion),
    String(highest),
    seen,
  );
}

function sealText(seal: SettledSeal): Uint8Array {
  const { nonce, manifest, keyVersion, counter, isSigned, act, once, direction, loadW, sealedAt, sealedLived } = seal;
  const { outcome = "", settledAt = "", settledLived = "" } = seal;
  return boundData(
    "meterkeep-record-1/critical-seal",
    ...placeFields(seal),
    fromHex(nonce),
    fromHex(manifest),
    ...[keyVersion, counter, act, once, direction, loadW, sealedAt, sealedLived, outcome, settledAt, settledLived].map(
      String,
    ),
    isSigned ? "signed" : "unicast",
  );
}

function placeFields({ utility, island, systemTitle, setup }: SetupPlace): (string | Uint8Array)[] {
  return [utility, island, fromHex(systemTitle), Uint8Array.of(setup)];
}

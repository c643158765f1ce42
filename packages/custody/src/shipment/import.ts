import type { KeyWarning } from "@meterkeep/api/custodian";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Committer } from "../store/committer.ts";
import { type MeterRecord, PURPOSE, type ShipmentRecord } from "../store/records.ts";
import type { CustodyStore, ShipmentStage, StagedMeter } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { withDerivedKeys } from "./derived-keys.ts";
import type { FactoryMasters } from "./factory-masters.ts";
import { entry, type ImportPlace } from "./import-place.ts";
import { asRefusal, recordRefusal, refusalOf } from "./import-refusals.ts";
import { keyWarnings } from "./key-warnings.ts";
import { linesOf } from "./lines.ts";
import { readShipment, type ShipmentHeader, type ShipmentTrust, type ShippedMeter } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";
import { ReturnedMeters } from "./returned-meters.ts";
import { sealMeters } from "./sealed-meters.ts";
import { requireOwnKeys } from "./shared-keys.ts";

/** What an import needs. */
export interface ImportDependencies {
  readonly store: Pick<CustodyStore, "stageShipment">;
  readonly files: Pick<CheckedFiles, "load">;
  readonly committer: Committer;
  readonly bursts: EntryBursts;
  readonly vault: Vault;
  readonly trust: ShipmentTrust;
  readonly masters: Pick<FactoryMasters, "stateOf">;
  readonly now: () => number;
  /**
   * Lets people agree to a shipment that is verified and about to be taken in; throws where they have to and have not.
   * Absent where nobody is asked.
   */
  readonly approve?: ((shipment: ShipmentToApprove) => Promise<void>) | undefined;
  /** A meter that was added by hand stands aside: what memory has of its keys is void. */
  readonly forget: (systemTitle: string) => void;
}

/** What people agree to when a shipment is taken in: this file, to the octet, since its root is said. */
export interface ShipmentToApprove {
  readonly shipment: string;
  readonly kind: string;
  readonly manufacturer: string;
  readonly meters: number;
  readonly root: string;
  readonly utility: string;
  readonly island: string;
}

/** What was imported. */
export interface ImportedShipment {
  readonly shipment: string;
  readonly count: number;
  readonly warnings: readonly KeyWarning[];
}

const BATCH_METERS = 500;
const MAX_WARNINGS = 100;

/**
 * Imports a shipment: all of it in one transaction, or nothing. The ledger has the acceptance before the transaction
 * ends, and every refusal.
 *
 * @throws ShipmentRefusal for the first thing that is wrong.
 */
export async function importShipment(
  dependencies: ImportDependencies,
  place: ImportPlace,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<ImportedShipment> {
  const stage = await dependencies.store.stageShipment();
  try {
    return await stageAndCommit(dependencies, place, chunks, stage);
  } catch (error) {
    const refusal = asRefusal(error);
    await stage.drop();
    if (refusal !== undefined) await recordRefusal(dependencies, place, "shipment-refused", refusal);
    throw refusal ?? error;
  } finally {
    await stage.drop();
  }
}

async function stageAndCommit(
  dependencies: ImportDependencies,
  place: ImportPlace,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  stage: ShipmentStage,
): Promise<ImportedShipment> {
  const { committer, trust, now } = dependencies;
  const warnings: KeyWarning[] = [];
  const setAside: string[] = [];
  let header: ShipmentHeader | undefined;
  let root = "";
  let batch: ShippedMeter[] = [];
  // The database takes a batch while the next one is read and sealed; never more than one is under way.
  let writing: Promise<void> = Promise.resolve();
  const returns = new ReturnedMeters(dependencies, place);
  const flush = async (of: ShipmentHeader) => {
    const whole = batch;
    batch = [];
    const read = returns.areOf(of) ? await returns.takeFrom(whole, of, stage) : whole;
    const sealed = await sealBatch(dependencies, place, of, read, warnings);
    returns.beside(of, sealed);
    await writing;
    writing = stageBatch(stage, sealed, read).then((titles) => void setAside.push(...titles));
    writing.catch(() => undefined);
  };
  try {
    for await (const item of readShipment(linesOf(chunks), trust)) {
      if (item.kind === "header") header = await notImported(item.header, stage);
      else if (item.kind === "verified") root = item.root;
      else if (batch.push(item.meter) >= BATCH_METERS) await flush(header as ShipmentHeader);
    }
    await flush(header as ShipmentHeader);
  } finally {
    for (const { keys } of batch) for (const { key } of keys) key[Symbol.dispose]();
    // What is wrong with an earlier line is said before what is wrong with a later one.
    await writing;
  }
  const { shipment, kind, manufacturer, customer, created, count } = header as ShipmentHeader;
  const { utility, island } = place;
  const about = { shipment, kind, manufacturer: manufacturer.name, meters: count, root, utility, island };
  // Everything is checked and nothing is seen by others yet: what is not agreed to is dropped whole.
  await dependencies.approve?.(about);
  const body = { shipment, kind, manufacturer: manufacturer.name, count, root };
  const aside = setAside.map((meter): LedgerDraft => {
    const by = { shipment, manufacturer: manufacturer.name };
    return { ...entry(now(), "unsigned-meter-set-aside", place, by), meter };
  });
  await committer.submit({ entries: [entry(now(), "shipment-accepted", place, body), ...aside] });
  const record: ShipmentRecord = {
    utility: place.utility,
    island: place.island,
    manufacturerKey: manufacturer.keyId,
    shipment,
    manufacturer: manufacturer.name,
    customer,
    created,
    meters: count,
    root,
    importedAt: now(),
  };
  try {
    if (returns.isEmpty) await stage.commit(record);
    else {
      await stage.drop();
      await committer.submit(returns.change(record));
    }
  } finally {
    // Also where nobody knows whether it is committed.
    for (const title of [...setAside, ...returns.titles]) dependencies.forget(title);
  }
  await committer.submit({ entries: [entry(now(), "shipment-imported", place, { shipment, count })] });
  return { shipment, count, warnings };
}

async function notImported(header: ShipmentHeader, stage: ShipmentStage): Promise<ShipmentHeader> {
  if (await stage.knows(header.manufacturer.keyId, header.shipment))
    throw new ShipmentRefusal("shipment-already-imported", 0, `shipment ${header.shipment} has been imported before`);
  return header;
}

async function sealBatch(
  { vault, masters, now }: ImportDependencies,
  place: ImportPlace,
  header: ShipmentHeader,
  read: readonly ShippedMeter[],
  warnings: KeyWarning[],
): Promise<readonly StagedMeter[]> {
  const { shipment, manufacturer } = header;
  const batch = await withDerivedKeys({ vault, masters }, header, read).catch((error: unknown) => {
    for (const { keys } of read) for (const { key } of keys) key[Symbol.dispose]();
    throw error;
  });
  const meters = batch.map(({ keys, check: _, setups: _named, line, systemTitle, counter, ...facts }) => ({
    keys,
    meter: {
      ...facts,
      systemTitle,
      utility: place.utility,
      island: place.island,
      // Without its master nobody can take it over: its keys are used as they are, as those that somebody added by hand.
      origin: keys.some(({ purpose, setup }) => purpose === PURPOSE.KEK && setup === undefined) ? "shipped" : "added",
      ...(counter === 0 ? {} : { counterFloor: counter }),
      manufacturer: { flag: manufacturer.flag, name: manufacturer.name },
      shipment: { id: shipment, line },
      createdAt: now(),
    } satisfies MeterRecord,
  }));
  for (const { meter, keys } of meters) warnings.push(...keyWarnings(meter.systemTitle, keys));
  warnings.splice(MAX_WARNINGS);
  return sealMeters(vault, meters, header.master === undefined ? "imported" : "derived");
}

/** Stages sealed meters; gives the titles of those that stood aside for them. */
async function stageBatch(
  stage: ShipmentStage,
  sealed: readonly StagedMeter[],
  batch: readonly ShippedMeter[],
): Promise<readonly string[]> {
  if (sealed.length === 0) return [];
  for (const { meter, keys, checkValues } of sealed)
    requireOwnKeys(meter.systemTitle, meter.shipment?.line ?? 0, keys, checkValues);
  const { conflict, setAside } = await stage.add(sealed);
  if (conflict === undefined) return setAside;
  const line = batch.findLast(({ systemTitle }) => systemTitle === conflict.systemTitle)?.line ?? 0;
  throw refusalOf(conflict, line);
}

/** Kind of the entry of a meter whose keys its owner sealed to the custodian. */
export const METER_ADDED = "meter-added";

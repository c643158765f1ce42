import { createHash } from "node:crypto";
import { KEY_PURPOSES, type KeyWarning, type ShipmentRefusalCode } from "@meterkeep/api/custodian";
import { systemTitle as brandTitle, fromHex } from "@meterkeep/dlms";
import type { LedgerDraft } from "@meterkeep/ledger";
import { type Readmission, readmission } from "../departure/readmission.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import { weakness } from "../keys/key-hygiene.ts";
import { isUnique } from "../keys/purposes.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { withMeterMacs } from "../records/record-mac.ts";
import type { Change, Committer } from "../store/committer.ts";
import type { KeyRecord, MeterFile, MeterRecord, PurposeNumber, ShipmentRecord } from "../store/records.ts";
import type { CustodyStore, ShipmentStage, StageConflict, StagedMeter } from "../store/store.ts";
import type { PlacedKey, Vault } from "../vault/vault.ts";
import { withDerivedKeys } from "./derived-keys.ts";
import type { FactoryMasters } from "./factory-masters.ts";
import { type BlockKey, setupOf } from "./key-block.ts";
import { linesOf } from "./lines.ts";
import { readShipment, type ShipmentHeader, type ShipmentTrust, type ShippedMeter } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";
import { openSealedKeys } from "./sealed-keys.ts";
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
  /** The same for a single meter, by its title and its keys. */
  readonly approveMeter?: ((meter: MeterToApprove) => Promise<void>) | undefined;
  /** A meter that was added by hand stands aside: what memory has of its keys is void. */
  readonly forget: (systemTitle: string) => void;
}

/** For whom, and on whose behalf. */
export interface ImportPlace {
  readonly utility: string;
  readonly island: string;
  /** The proven name of the caller. */
  readonly principal: string;
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

/** What people agree to when a single meter is taken in: these very keys, however they were sealed. */
export interface MeterToApprove {
  readonly meter: string;
  readonly utility: string;
  readonly island: string;
  /** SHA-384 over the check values of its keys, hex: they are keyed, and the same each time. */
  readonly keys: string;
}

/** What was imported. */
export interface ImportedShipment {
  readonly shipment: string;
  readonly count: number;
  readonly warnings: readonly KeyWarning[];
}

const MASTER = 3;
const BATCH_METERS = 500;
const MAX_WARNINGS = 100;
/** In a transfer of up to so many meters there may be some that had been ours: all of it is one commit then. */
const MOST_WITH_READMISSIONS = 5000;

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
  const returns = new Returns(dependencies, place);
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
  if (returns.isEmpty) await stage.commit(record);
  else {
    await stage.drop();
    await committer.submit(returns.change(record));
  }
  for (const title of [...setAside, ...returns.titles]) dependencies.forget(title);
  await committer.submit({ entries: [entry(now(), "shipment-imported", place, { shipment, count })] });
  return { shipment, count, warnings };
}

/**
 * The meters of a transfer that had been ours. What is staged is tried there and kept here as well: once one has come back,
 * all of it is one commit with the entry that its standing follows from.
 */
class Returns {
  readonly #dependencies: ImportDependencies;
  readonly #place: ImportPlace;
  readonly #fresh: StagedMeter[] = [];
  readonly #back: Readmission[] = [];

  constructor(dependencies: ImportDependencies, place: ImportPlace) {
    this.#dependencies = dependencies;
    this.#place = place;
  }

  get isEmpty(): boolean {
    return this.#back.length === 0;
  }

  get titles(): readonly string[] {
    return this.#back.map(({ meter }) => meter.systemTitle);
  }

  /** Whether a shipment may bring back what had been ours. */
  areOf({ kind, count }: ShipmentHeader): boolean {
    return kind === "transfer" && count <= MOST_WITH_READMISSIONS;
  }

  /** Takes the meters out of a batch that had been ours, and gives the others. */
  async takeFrom(batch: readonly ShippedMeter[], header: ShipmentHeader, stage: ShipmentStage) {
    const left = new Set(await stage.left(batch.map(({ systemTitle }) => systemTitle)));
    if (left.size === 0) return batch;
    const { files } = this.#dependencies;
    for (const shipped of batch.filter(({ systemTitle }) => left.has(systemTitle))) {
      const file = (await files.load(shipped.systemTitle)) as MeterFile;
      this.#back.push(await readmission(this.#dependencies, file, header, shipped, this.#place));
      for (const { key } of shipped.keys) key[Symbol.dispose]();
    }
    return batch.filter(({ systemTitle }) => !left.has(systemTitle));
  }

  beside(header: ShipmentHeader, sealed: readonly StagedMeter[]): void {
    if (this.areOf(header)) this.#fresh.push(...sealed);
  }

  /** The whole shipment as one change. */
  change(shipment: ShipmentRecord): Change {
    return {
      writes: [
        ...this.#fresh.map((staged) => ({ kind: "add-meter", ...staged }) as const),
        ...this.#back.flatMap(({ writes }) => writes),
        { kind: "add-shipment", shipment },
      ],
      entries: this.#back.flatMap(({ entries }) => entries),
    };
  }
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
      origin: keys.some(({ purpose, setup }) => purpose === MASTER && setup === undefined) ? "shipped" : "added",
      ...(counter === 0 ? {} : { counterFloor: counter }),
      manufacturer: { flag: manufacturer.flag, name: manufacturer.name },
      shipment: { id: shipment, line },
      createdAt: now(),
    } satisfies MeterRecord,
  }));
  for (const { meter, keys } of meters) warnings.push(...warningsOf(meter.systemTitle, keys));
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

/**
 * Takes a single meter into custody whose keys its owner sealed to the custodian.
 *
 * @param systemTitle 16 upper-case hex digits
 * @throws ShipmentRefusal with line 0.
 */
export async function addSingleMeter(
  dependencies: ImportDependencies,
  place: ImportPlace,
  systemTitle: string,
  sealed: string,
): Promise<readonly KeyWarning[]> {
  const { store, committer, vault, trust, now } = dependencies;
  const stage = await store.stageShipment();
  try {
    const { keys, securitySuite } = openSealedKeys(sealed, systemTitle, trust.recipient);
    const meter = addedMeter(place, systemTitle, securitySuite, now());
    const warnings = warningsOf(systemTitle, keys);
    const [staged] = (await sealMeters(vault, [{ meter, keys }])) as [StagedMeter];
    const { conflict } = await stage.add([staged]);
    if (conflict !== undefined) throw refusalOf(conflict, 0);
    await stage.drop();
    const { utility, island } = place;
    await dependencies.approveMeter?.({ meter: systemTitle, utility, island, keys: digestOf(staged) });
    const purposes = staged.keys.map(({ purpose }) => KEY_PURPOSES[purpose]);
    await committer.submit({
      writes: [{ kind: "add-meter", ...staged }],
      entries: [{ ...entry(now(), METER_ADDED, place, { purposes }), meter: systemTitle }],
    });
    return warnings;
  } catch (error) {
    const refusal = asRefusal(error);
    await stage.drop();
    if (refusal !== undefined) await recordRefusal(dependencies, place, "meter-refused", refusal);
    throw refusal ?? error;
  }
}

function digestOf({ checkValues }: StagedMeter): string {
  const hash = createHash("sha384");
  for (const value of checkValues) hash.update(value);
  return hash.digest("hex");
}

/** What is not known of a meter that somebody added by hand stays empty: nobody vouches for it. */
function addedMeter(place: ImportPlace, systemTitle: string, securitySuite: number, createdAt: number): MeterRecord {
  const flag = Buffer.from(systemTitle.slice(0, 6), "hex").toString("latin1");
  return {
    utility: place.utility,
    island: place.island,
    systemTitle,
    origin: "added",
    logicalDeviceName: "",
    serialNumber: "",
    model: "",
    hardwareRevision: "",
    firmware: "",
    profile: "",
    securitySuite,
    manufacturer: { flag: /^[A-Za-z]{3}$/.test(flag) ? flag.toUpperCase() : "", name: "" },
    holders: [],
    shipment: undefined,
    createdAt,
  };
}

/** Seals the keys of meters for their places and disposes of them. */
async function sealMeters(
  vault: Vault,
  meters: readonly { readonly meter: MeterRecord; readonly keys: readonly BlockKey[] }[],
  origin: "imported" | "derived" = "imported",
): Promise<StagedMeter[]> {
  try {
    const placed: PlacedKey[] = meters.flatMap(({ meter, keys }) =>
      keys.map((key) => ({
        place: {
          ...meter,
          systemTitle: fromHex(meter.systemTitle),
          setup: setupOf(key),
          purpose: key.purpose,
          version: 1,
        },
        key: key.key,
      })),
    );
    const sealed = await vault.seal(placed);
    const values = await vault.checkValues(placed.map(({ key }) => key));
    const known = await withMeterMacs(
      vault,
      meters.map(({ meter }) => meter),
    );
    let at = 0;
    return meters.map(({ meter, keys }, index) => {
      const from = at;
      at += keys.length;
      return {
        meter: known[index] as MeterRecord,
        keys: keys.map((key, nth) => importedKey(meter, key, sealed[from + nth] as Uint8Array, origin)),
        // The broadcast key is shared by design.
        checkValues: values.slice(from, at).filter((_, nth) => isUnique(keys[nth]?.purpose as number)),
      };
    });
  } finally {
    for (const { keys } of meters) for (const { key } of keys) key[Symbol.dispose]();
  }
}

function importedKey(meter: MeterRecord, key: BlockKey, sealed: Uint8Array, origin: "imported" | "derived"): KeyRecord {
  const { purpose } = key;
  return {
    utility: meter.utility,
    island: meter.island,
    systemTitle: meter.systemTitle,
    setup: setupOf(key),
    purpose: purpose as PurposeNumber,
    version: 1,
    state: "active",
    // What stands beside the keys of security setups came in the file.
    origin: purpose <= MASTER ? origin : "imported",
    sealed,
    createdAt: meter.createdAt,
    provenAt: undefined,
  };
}

function warningsOf(systemTitle: string, keys: readonly BlockKey[]): KeyWarning[] {
  return keys.flatMap(({ purpose, setup, key }) => {
    const why = weakness(key, purpose);
    const where = setup === undefined ? "" : ` of security setup ${setup}`;
    const name = `${KEY_PURPOSES[purpose] ?? purpose}${where}`;
    return why === undefined
      ? []
      : [
          {
            systemTitle: brandTitle(fromHex(systemTitle)),
            purpose: KEY_PURPOSES[purpose] ?? String(purpose),
            message: `The ${name} ${why}.`,
          },
        ];
  });
}

const CONFLICTS: Readonly<Record<StageConflict["problem"], readonly [ShipmentRefusalCode, string]>> = {
  "in-custody": ["meter-already-in-custody", "is in custody already"],
  "in-file": ["meter-duplicate-in-file", "stands twice in the shipment"],
  "key-shared": ["meter-key-shared", "shares a key with another meter"],
};

function refusalOf({ systemTitle, problem }: StageConflict, line: number): ShipmentRefusal {
  const [code, words] = CONFLICTS[problem];
  const where = line === 0 ? "" : `line ${line}, `;
  return new ShipmentRefusal(code, line, `${where}meter ${systemTitle} ${words}`, { systemTitle });
}

function asRefusal(error: unknown): ShipmentRefusal | undefined {
  if (error instanceof ShipmentRefusal) return error;
  if ((error as { code?: string }).code !== "custody-write-conflict") return undefined;
  return new ShipmentRefusal("shipment-already-imported", 0, "it, or a part of it, has just been imported", {
    cause: error,
  });
}

async function recordRefusal(
  { bursts, now }: ImportDependencies,
  place: ImportPlace,
  kind: string,
  { code, line, systemTitle, message }: ShipmentRefusal,
): Promise<void> {
  const draft = entry(now(), kind, place, { code, line, message });
  await bursts.record([systemTitle === undefined ? draft : { ...draft, meter: systemTitle }]);
}

function entry(at: number, kind: string, { utility, island, principal }: ImportPlace, body: unknown) {
  return { at, kind, principal, utility, island, body };
}

import { fromHex } from "@meterkeep/dlms";
import type { LedgerDraft } from "@meterkeep/ledger";
import { newEnrolment } from "../enrolment/journal.ts";
import { isSecret, isUnique, purposeName } from "../keys/purposes.ts";
import { takeoverMark } from "../records/marks.ts";
import { withMeterMacs, withTakeoverMacs } from "../records/record-mac.ts";
import { setupOf } from "../shipment/key-block.ts";
import type { ShipmentHeader, ShippedMeter } from "../shipment/reader.ts";
import { ShipmentRefusal } from "../shipment/refusal.ts";
import { requireOwnKeys } from "../shipment/shared-keys.ts";
import {
  FIRST_SETUP,
  type KeyRecord,
  type MeterFile,
  type MeterRecord,
  type Purpose,
  type PurposeNumber,
  type SecretPurpose,
  type StoredTakeover,
} from "../store/records.ts";
import type { Write } from "../store/store.ts";
import { nextTakeover, openedRecord } from "../takeover/commit-step.ts";
import { type ByPurpose, type Journal, newJournal } from "../takeover/journal.ts";
import type { SecretChange } from "../takeover/secret-change.ts";
import { journalOf } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";

/** The entry of a meter that had left and has come back. */
export const READMITTED = "meter-readmitted";

/** What a readmission is made with. */
export interface ReadmissionDependencies {
  readonly vault: Pick<Vault, "seal" | "checkValues" | "authenticate">;
  readonly now: () => number;
}

/** A meter that comes back, ready to be committed. */
export interface Readmission {
  readonly meter: MeterRecord;
  readonly writes: readonly Write[];
  readonly entries: readonly LedgerDraft[];
}

const MOST_HOLDERS = 16;

/**
 * Takes back a meter that had been given to somebody else, or sent back to its maker: the keys that are on it now follow ours
 * by version, our counters go on above the highest that anybody has used, whoever had it before or since could have had its
 * keys, and a takeover of its own begins. What it signed with before is believed no more: its certificates of ours were revoked
 * when it left, and others had it make pairs of theirs since. It is known by its keys until it has been enrolled anew.
 *
 * @throws ShipmentRefusal `meter-already-in-custody` where it is another device than the one that left
 */
export async function readmission(
  { vault, now }: ReadmissionDependencies,
  file: MeterFile,
  { shipment, manufacturer }: Pick<ShipmentHeader, "shipment" | "manufacturer">,
  shipped: ShippedMeter,
  place: { readonly utility: string; readonly island: string; readonly principal: string },
): Promise<Readmission> {
  requireSame(file, shipped, place);
  const at = now();
  const { meter: before } = file;
  const { utility, island, systemTitle } = before;
  const holders = [...new Set([...shipped.holders, ...before.holders])].slice(0, MOST_HOLDERS);
  const counterFloor = Math.max(shipped.counter, before.counterFloor ?? 0);
  const { standing: _left, mac: _mac, ...facts } = before;
  const [meter] = (await withMeterMacs(vault, [
    {
      ...facts,
      firmware: shipped.firmware,
      manufacturer: { flag: manufacturer.flag, name: manufacturer.name },
      holders,
      shipment: { id: shipment, line: shipped.line },
      counterFloor,
    },
  ])) as [MeterRecord];
  const { keys, checkValues } = await sealedAfter(vault, file, shipped, at);
  requireOwnKeys(systemTitle, shipped.line, keys, checkValues);
  const takeovers = await takeoversAnew({ vault, now }, file, keys, at);
  const identity = await identityAnew(vault, file, place.principal, at);
  const names = keys.map(({ purpose, setup, version }) => ({ purpose: purposeName(purpose), setup, version }));
  const body = { shipment, from: manufacturer.name, was: before.standing, keys: names, counterFloor };
  return {
    meter,
    writes: [
      { kind: "readmit-meter", meter, at },
      { kind: "add-keys", keys, checkValues },
      ...takeovers.map(({ takeover }) => ({ kind: "put-takeover", takeover }) as const),
      ...identity.writes,
    ],
    entries: [
      { at, kind: READMITTED, principal: place.principal, utility, island, meter: systemTitle, body },
      ...takeovers.map(({ mark }) => mark),
      ...identity.entries,
    ],
  };
}

/** A takeover of the first setup and of each other whose keys we had changed: what was proven of it is no more. */
async function takeoversAnew(
  dependencies: Pick<ReadmissionDependencies, "vault" | "now">,
  file: MeterFile,
  keys: readonly KeyRecord[],
  at: number,
) {
  const { utility, island, systemTitle } = file.meter;
  const setups = [FIRST_SETUP, ...file.takeovers.map(({ setup }) => setup).filter((setup) => setup !== FIRST_SETUP)];
  return Promise.all(
    setups.map((setup) => {
      const { journal, record } = journalOf(file, setup);
      const anew = takeoverAnew(journal, file.keys, keys, setup);
      // One that is open goes on: a restore opened it for keys of the escrow, made when the meter had come back before, and lost since.
      if (record !== undefined && record.closedAt === undefined)
        return nextTakeover(dependencies, record, alsoBelieving(anew, journal, file.keys, setup));
      const opened = openedRecord({ utility, island, systemTitle, setup }, at, (record?.takeover ?? 0) + 1);
      return nextTakeover(dependencies, opened, anew);
    }),
  );
}

/** What a meter that was enrolled before begins anew with: a journal that believes nothing, and its plan. */
async function identityAnew(
  vault: Pick<Vault, "authenticate">,
  { meter, enrolments: [before], enrolment: last }: MeterFile,
  plannedBy: string,
  at: number,
): Promise<{ readonly writes: readonly Write[]; readonly entries: readonly LedgerDraft[] }> {
  if (before === undefined) return { writes: [], entries: [] };
  const { utility, island, systemTitle } = meter;
  const number = Math.max(before.takeover, last?.enrolment ?? 0) + 1;
  const journal = newEnrolment(meter.securitySuite === 2 ? 2 : 1, { cause: "first", renewing: [] });
  const [takeover] = (await withTakeoverMacs(vault, [
    {
      utility,
      island,
      systemTitle,
      setup: 0,
      subject: "certificates",
      takeover: number,
      revision: 1,
      journal: JSON.stringify(journal),
      openedAt: at,
      closedAt: undefined,
    },
  ])) as [StoredTakeover];
  const enrolment = {
    utility,
    island,
    systemTitle,
    enrolment: number,
    cause: "first",
    risk: 0,
    plannedAt: at,
    plannedBy,
    begunAt: undefined,
    endedAt: undefined,
    outcome: undefined,
    expiresAt: undefined,
  } as const;
  return {
    writes: [
      { kind: "plan-enrolment", enrolment },
      { kind: "put-takeover", takeover },
    ],
    entries: [takeoverMark(takeover, at)],
  };
}

/** The device that left, by all that does not change; with keys of each setup that ours were on: whoever had it since says what they are. */
function requireSame(
  { meter, takeovers }: MeterFile,
  shipped: ShippedMeter,
  { utility, island }: { readonly utility: string; readonly island: string },
): void {
  const fixed = ["logicalDeviceName", "serialNumber", "model", "hardwareRevision", "profile", "securitySuite"] as const;
  const other = fixed.find((name) => meter[name] !== shipped[name]);
  const { line, systemTitle } = shipped;
  const refuse = (why: string) =>
    new ShipmentRefusal("meter-already-in-custody", line, `line ${line}, meter ${systemTitle} ${why}`, { systemTitle });
  const missing = takeovers.find(
    ({ setup }) => setup !== FIRST_SETUP && !shipped.keys.some((key) => setupOf(key) === setup),
  );
  if (meter.utility !== utility || meter.island !== island) throw refuse(`left ${meter.utility}/${meter.island}`);
  if (other !== undefined)
    throw refuse(
      `left as ${other} ${JSON.stringify(meter[other])} and comes back as ${JSON.stringify(shipped[other])}`,
    );
  if (missing !== undefined) throw refuse(`left with keys of security setup ${missing.setup} and comes back without`);
}

async function sealedAfter(
  vault: ReadmissionDependencies["vault"],
  { meter: { utility, island, systemTitle }, keys: known }: MeterFile,
  { keys: shipped }: ShippedMeter,
  createdAt: number,
) {
  const records = shipped.map((key): Omit<KeyRecord, "sealed"> => {
    const [purpose, setup] = [key.purpose, setupOf(key)];
    const same = known.filter((one) => one.purpose === purpose && one.setup === setup);
    return {
      utility,
      island,
      systemTitle,
      setup,
      purpose: purpose as PurposeNumber,
      version: Math.max(0, ...same.map(({ version }) => version)) + 1,
      state: "active",
      origin: "imported",
      createdAt,
      provenAt: undefined,
    };
  });
  const title = fromHex(systemTitle);
  const sealed = await vault.seal(
    records.map((record, at) => ({
      place: { ...record, systemTitle: title },
      key: (shipped[at] as (typeof shipped)[0]).key,
    })),
  );
  const unique = shipped.filter(({ purpose }) => isUnique(purpose)).map(({ key }) => key);
  return {
    keys: records.map((record, at): KeyRecord => ({ ...record, sealed: sealed[at] as Uint8Array })),
    checkValues: await vault.checkValues(unique),
  };
}

/** A takeover whose old keys are those that the meter comes back with; versions that we have used are not used again. */
function takeoverAnew(
  before: Journal,
  known: readonly KeyRecord[],
  keys: readonly KeyRecord[],
  setup: number,
): Journal {
  const own = keys.filter((key) => key.setup === setup);
  const version = (of: Purpose) => (own.find(({ purpose }) => purpose === of) as KeyRecord).version;
  const old: ByPurpose<number> = { 0: version(0), 1: version(1), 2: version(2), 3: version(3) };
  const { hints, hintAt } = before;
  return {
    ...newJournal(old),
    ...(setup === FIRST_SETUP && secretsAnew(before, known, keys)),
    ...(hints !== undefined && { hints }),
    hintAt,
  };
}

/** Keys of ours that the journal before believes in may be on the meter in place of those that it came with. */
function alsoBelieving(anew: Journal, before: Journal, known: readonly KeyRecord[], setup: number): Journal {
  const held = (of: Purpose) =>
    known.filter(
      (key) => key.setup === setup && key.purpose === of && key.origin === "generated" && key.sealed.length > 0,
    );
  const beside = (of: Purpose) =>
    before.belief[of].filter((version) => held(of).some((key) => key.version === version));
  const each = <T>(value: (of: Purpose) => T): ByPurpose<T> => ({ 0: value(0), 1: value(1), 2: value(2), 3: value(3) });
  return { ...anew, belief: each((of) => [...anew.belief[of], ...beside(of)]), exposed: before.exposed };
}

/** Secrets of clients, by what came with the meter; none where there were never any. */
function secretsAnew(
  before: Journal,
  known: readonly KeyRecord[],
  keys: readonly KeyRecord[],
): Pick<Journal, "secrets"> | undefined {
  const secrets = keys
    .filter(({ purpose }) => isSecret(purpose))
    .map(
      ({ purpose, setup, version: own }): SecretChange => ({
        purpose: purpose as SecretPurpose,
        client: setup,
        state: "wanted",
        old: own,
        belief: [own],
        nextVersion: own + 1,
        sent: 0,
        silent: 0,
      }),
    );
  // Of clients whose secret nobody tells us, another one is set.
  const untold = (before.secrets ?? [])
    .filter(({ purpose, client }) => secrets.every((one) => one.purpose !== purpose || one.client !== client))
    .map(({ purpose, client }): SecretChange => {
      const used = known.filter((key) => key.purpose === purpose && key.setup === client);
      const nextVersion = Math.max(0, ...used.map((key) => key.version)) + 1;
      return { purpose, client, state: "wanted", belief: [], nextVersion, sent: 0, silent: 0 };
    });
  return before.secrets === undefined && secrets.length === 0 ? undefined : { secrets: [...secrets, ...untold] };
}

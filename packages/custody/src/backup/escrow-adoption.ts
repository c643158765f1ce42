import { fromHex } from "@meterkeep/dlms";
import type { LedgerDraft } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { CustodyError } from "../errors.ts";
import type { EscrowedKey, KeyEscrow } from "../escrow/key-escrow.ts";
import { isUnique } from "../keys/purposes.ts";
import type { Committer } from "../store/committer.ts";
import {
  FIRST_SETUP,
  type KeyRecord,
  type MeterFile,
  PURPOSE,
  type Purpose,
  type SetupPlace,
  type TakeoverRecord,
} from "../store/records.ts";
import { RESTORED_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore, Write } from "../store/store.ts";
import { nextTakeover, openedRecord, rotationMarks } from "../takeover/commit-step.ts";
import { isFinal, rotationJournal } from "../takeover/journal.ts";
import { openRotation } from "../takeover/plan.ts";
import { journalOf, takeoverOutcome } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";
import { believing } from "./escrow-belief.ts";

const AT_ONCE = 100;
const ALL: readonly Purpose[] = [0, 1, 2, 3];

/** What adopting an escrow needs. */
export interface AdoptionDependencies {
  readonly store: Pick<CustodyStore, "load" | "rotations">;
  readonly files: { load(systemTitle: string): Promise<MeterFile | undefined> };
  readonly committer: Committer;
  readonly vault: Vault;
  readonly now: () => number;
}

/** What came of it. */
export interface Adopted {
  readonly keys: number;
  readonly meters: number;
  /** Keys that do not open in the vault, or whose meter is not in custody. */
  readonly left: number;
}

/**
 * Takes keys of the escrow into a restored custody that has none of them, because they were made after its backup. Any of
 * them may be on its meter, or not: the meter's journal believes in all of them and in those it knew, and its next
 * contacts find out (as after any crash). Nothing that was believed is let go.
 *
 * Doing it again changes nothing.
 */
export async function adoptEscrow(
  dependencies: AdoptionDependencies,
  escrow: Pick<KeyEscrow, "read">,
  since: number,
): Promise<Adopted> {
  const byMeter = new Map<string, EscrowedKey[]>();
  // Clocks go wrong: a day more costs a look, a day less a meter.
  for await (const key of escrow.read())
    if (key.createdAt >= since - DAY_MILLISECONDS) {
      const known = byMeter.get(key.systemTitle);
      if (known === undefined) byMeter.set(key.systemTitle, [key]);
      else known.push(key);
    }
  let [keys, meters, left] = [0, 0, 0];
  const titles = [...byMeter.keys()];
  for (let at = 0; at < titles.length; at += AT_ONCE)
    await Promise.all(
      titles.slice(at, at + AT_ONCE).map(async (title) => {
        const adopted = await adoptOf(dependencies, title, byMeter.get(title) ?? []);
        keys += adopted.keys;
        left += adopted.left;
        if (adopted.keys > 0) meters += 1;
      }),
    );
  return { keys, meters, left };
}

async function adoptOf(
  dependencies: AdoptionDependencies,
  title: string,
  escrowed: readonly EscrowedKey[],
): Promise<{ readonly keys: number; readonly left: number }> {
  const { files, vault, now, committer } = dependencies;
  const file = await loadedFile(files, title);
  if (file === undefined) return { keys: 0, left: escrowed.length };
  const missing = escrowed.filter(
    (key) =>
      !file.keys.some((one) => one.setup === key.setup && one.purpose === key.purpose && one.version === key.version),
  );
  if (missing.length === 0) return { keys: 0, left: 0 };
  const opened = await openedKeys(vault, missing);
  const widened = [];
  for (const setup of new Set(missing.map(journalSetupOf))) {
    const own = opened.flatMap(({ key }) => (journalSetupOf(key) === setup ? key : []));
    widened.push(await widen(dependencies, file, { ...placeOf(file), setup }, own));
  }
  const entry: LedgerDraft = {
    at: now(),
    kind: "escrow-adopted",
    principal: "custodian",
    utility: file.meter.utility,
    island: file.meter.island,
    meter: title,
    body: { keys: opened.map(({ key: { purpose, version, setup } }) => ({ purpose, version, setup })) },
  };
  await committer.submit({
    writes: [
      {
        kind: "add-keys",
        keys: opened.map(({ key }) => recordOf(key)),
        checkValues: opened.flatMap(({ check }) => check ?? []),
      },
      ...widened.flatMap(({ writes }) => writes),
    ],
    entries: [entry, ...widened.flatMap(({ entries }) => entries)],
  });
  return { keys: opened.length, left: missing.length - opened.length };
}

/** A meter whose rows are refused keeps its escrow for another day. */
async function loadedFile(files: AdoptionDependencies["files"], title: string): Promise<MeterFile | undefined> {
  try {
    return await files.load(title);
  } catch (error) {
    if (error instanceof CallRefusal) return undefined;
    throw error;
  }
}

interface OpenedKey {
  readonly key: EscrowedKey;
  readonly check: Uint8Array | undefined;
}

/** The keys that open in the vault, with the check value of those that no two meters may share. */
async function openedKeys(vault: Vault, keys: readonly EscrowedKey[]): Promise<readonly OpenedKey[]> {
  const opened: OpenedKey[] = [];
  for (const key of keys)
    try {
      const place = { ...key, systemTitle: fromHex(key.systemTitle) };
      const [secret] = await vault.unseal([{ place, sealed: key.sealed }]);
      if (secret === undefined) continue;
      using held = secret;
      const [check] = isUnique(key.purpose) ? await vault.checkValues([held]) : [];
      opened.push({ key, check });
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
    }
  return opened;
}

/** The setup in whose journal a key is believed in: secrets of clients and keys of devices are the first's. */
function journalSetupOf({ purpose, setup }: EscrowedKey): number {
  return purpose <= PURPOSE.KEK ? setup : FIRST_SETUP;
}

/** The journal of a setup that believes in the keys as well, and its plan where it is a rotation that begins. */
async function widen(
  { vault, now, store }: AdoptionDependencies,
  file: MeterFile,
  place: SetupPlace,
  keys: readonly EscrowedKey[],
): Promise<{ readonly writes: readonly Write[]; readonly entries: readonly LedgerDraft[] }> {
  const { journal, record } = journalOf(file, place.setup);
  const isOver = isFinal(journal.verdict) && record?.closedAt !== undefined;
  const going = isOver
    ? {
        journal: rotationJournal(
          journal,
          { cause: "exposure", purposes: ALL },
          journal.takeover ?? takeoverOutcome(file.meter, journal),
        ),
        record: openedRecord(place, now(), record.takeover + 1),
      }
    : { journal, record: record ?? openedRecord(place, now()) };
  let plan = openRotation(file, place.setup);
  if (isOver && plan === undefined) {
    const { systemTitle } = place;
    await store.rotations.plan({
      meters: [systemTitle],
      setups: place.setup,
      madeBefore: undefined,
      countAbove: undefined,
      purposes: ALL,
      cause: "exposure",
      risk: RESTORED_RISK,
      plannedBy: "restore",
      at: now(),
      limit: 1,
    });
    const planned = await store.load(systemTitle);
    plan = planned && openRotation(planned, place.setup);
  }
  const widened = believing(going.journal, file, keys, place.setup);
  const { takeover, mark } = await nextTakeover({ vault, now }, going.record as TakeoverRecord, widened);
  const marks = widened.cause === "takeover" ? [] : rotationMarks(plan, takeover, widened, now());
  return { writes: [{ kind: "put-takeover", takeover }, ...marks], entries: [mark] };
}

function recordOf(key: EscrowedKey): KeyRecord {
  return { ...key, state: "pre-activation", origin: "generated", provenAt: undefined };
}

function placeOf({ meter: { utility, island, systemTitle } }: MeterFile) {
  return { utility, island, systemTitle };
}

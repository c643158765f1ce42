import type { KeyState } from "@meterkeep/api/custodian";
import type { ChangeRequest } from "@meterkeep/guard";
import { type LedgerDraft, RESUMED } from "@meterkeep/ledger";
import { PkiError } from "@meterkeep/pki";
import { applyChange, suspended } from "../authority/apply-change.ts";
import type { Authority } from "../authority/authority.ts";
import type { DocumentKeeper } from "../authority/document-keeper.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { Departures } from "../departure/departures.ts";
import { READMITTED } from "../departure/readmission.ts";
import { CustodyError } from "../errors.ts";
import type { HeadEnds } from "../head-ends/head-ends.ts";
import { stateChange } from "../keys/key-state-change.ts";
import { mayBecome } from "../keys/key-transition.ts";
import { purposeName } from "../keys/purposes.ts";
import { FIELD_KINDS } from "../lease/field-record.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Committer } from "../store/committer.ts";
import type { MeterStanding, Purpose } from "../store/records.ts";
import { CAUSE_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";
import {
  DEPARTED,
  EXECUTED,
  isLost,
  KEY_STATES,
  WITHDRAWING_CHANGES,
  type Withdrawal,
  type WithdrawalJournal,
  type WithdrawingEntry,
} from "./withdrawals.ts";

/** Kind of the entry that ends it: what was lost is made good, and everything critical frozen. */
export const MADE_GOOD = "ledger-made-good";

const DAY_MILLISECONDS = 86_400_000;
/** The longest that anything counts under a cap: what was lost before is of no concern to them. */
const CONCERN_MILLISECONDS = 30 * DAY_MILLISECONDS;
const CUSTODIAN: Caller = { name: "custodian", role: "operator" };

/** Something of this database's past that it does not know any more. */
export interface Loss {
  /** As the entry that makes it good has it. */
  readonly name: string;
  /** As people read it. */
  readonly words: string;
  /** From when on it may lack something. */
  readonly since: number;
}

/** The losses that nothing has made good yet: restores from a backup, and ledgers that people let go on behind a witness. */
export async function lossesOf(
  { restorations, ledger }: Pick<CustodyStore, "restorations" | "ledger">,
  now: number,
): Promise<readonly Loss[]> {
  const own = await ledger.ofItself();
  const made = new Set(
    own
      .filter(({ kind }) => kind === MADE_GOOD)
      .flatMap(({ body }) => (JSON.parse(body) as { readonly losses: readonly string[] }).losses),
  );
  const restored = (await restorations.list())
    .filter(({ restoredAt }) => restoredAt > now - CONCERN_MILLISECONDS)
    .map(({ backup, restoredAt, knownUntil }) => ({
      name: `backup ${backup} at ${restoredAt}`,
      words: `backup ${backup}, put back at ${new Date(restoredAt).toISOString()}`,
      since: knownUntil,
    }));
  const resumed = own
    .filter(({ kind, at }) => kind === RESUMED && at > now - CONCERN_MILLISECONDS)
    .map(({ sequence, body }) => {
      const { since } = JSON.parse(body) as { readonly since?: number | null };
      const name = `resumption ${sequence}`;
      return { name, words: name, since: since ?? 0 };
    });
  return [...restored, ...resumed].filter(({ name }) => !made.has(name));
}

/** Lines of the journal that may be lost. Clocks go wrong: a day more costs a look. */
async function* linesSince(
  journal: WithdrawalJournal,
  losses: readonly Loss[],
  onStrange: () => void,
): AsyncGenerator<Withdrawal> {
  const since = Math.min(...losses.map((loss) => loss.since)) - DAY_MILLISECONDS;
  for await (const line of journal.read(onStrange)) if (line.at >= since) yield line;
}

/**
 * Seals that were made and are not in this database count again: to be called before seals are read. One that is there, or
 * was refused then, is refused now.
 */
export async function sealsAgain(
  journal: WithdrawalJournal,
  losses: readonly Loss[],
  { committer, now }: { readonly committer: Pick<Committer, "submit">; readonly now: () => number },
): Promise<void> {
  if (losses.length === 0) return;
  // `makeGood` reads the same lines, and tells of those that are nobody's.
  for await (const line of linesSince(journal, losses, () => undefined)) {
    if (line.kind === "manifest")
      await refusedAsBefore(() => committer.submit({ writes: [{ kind: "add-manifest", manifest: line.manifest }] }));
    if (line.kind !== "seal") continue;
    const { seal } = line;
    const { utility, island, systemTitle: meter, nonce, manifest, counter } = seal;
    const body = { nonce, manifest, counter, restored: true };
    const entry = { at: now(), kind: "critical-sealed", principal: "custodian", utility, island, meter, body };
    const mac = new Uint8Array(Buffer.from(line.mac, "hex"));
    // JSON has no undefined.
    const whole = { ...seal, isSigned: seal.isSigned };
    await refusedAsBefore(() =>
      committer.submit({ writes: [{ kind: "seal-critical", seal: whole, mac, caps: undefined }], entries: [entry] }),
    );
  }
}

/** What makes good needs. */
export interface MakeGoodDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "ofKinds">;
  readonly rotations: Pick<CustodyStore["rotations"], "plan">;
  readonly files: Pick<CheckedFiles, "load">;
  readonly committer: Pick<Committer, "submit">;
  readonly authority: Pick<Authority, "document" | "freeze">;
  readonly documents: Pick<DocumentKeeper, "change" | "spoilt">;
  readonly headEnds: Pick<HeadEnds, "remove">;
  readonly departures: Pick<Departures, "hadLeft">;
  readonly now: () => number;
}

/**
 * Makes good what a database lost that was put back, before anybody is served: everything critical is frozen until two
 * people lift it, and what was withdrawn since is withdrawn again. Doing it again changes nothing: a process that dies on the
 * way begins anew. What cannot be withdrawn again stands in the entry that ends it, and how many lines of the journal this
 * vault has not written: each may be a withdrawal that somebody changed.
 */
export async function makeGood(
  journal: WithdrawalJournal,
  losses: readonly Loss[],
  dependencies: MakeGoodDependencies,
): Promise<void> {
  if (losses.length === 0) return;
  const { authority, documents, committer, ledger, now } = dependencies;
  const names = losses.map(({ name }) => name);
  // Where nobody is enrolled nothing can be approved, and nobody could thaw.
  const isFrozen = documents.spoilt === undefined && authority.document.approvers.length > 0;
  if (isFrozen) {
    const lostIn = losses.map(({ words }) => words).join("; ");
    await authority.freeze(`the database lost what it knew: ${lostIn}`, "custodian");
  }
  const kinds = ["approver-suspended", "head-end-removed", DEPARTED, EXECUTED, ...Object.values(FIELD_KINDS)];
  const known = new Set((await ledger.ofKinds(kinds)).map(nameOfEntry));
  const left: string[] = [];
  const lost = new Map<string, Set<Purpose>>();
  let again = 0;
  let strange = 0;
  const onStrange = () => {
    strange += 1;
  };
  const withdraw = async (entry: WithdrawingEntry): Promise<void> => {
    const done = await guarded(() => withdrawn(dependencies, entry, lost));
    if (done === "again") again += 1;
    else if (done !== "known") left.push(`${entry.kind}: ${done}`);
  };
  const departed = new Map<string, WithdrawingEntry>();
  for await (const line of linesSince(journal, losses, onStrange)) {
    if (line.kind !== "entry") continue;
    const { entry } = line;
    const { kind, meter = "" } = entry;
    // Who left and came back is here: what counts is where a meter was in the end.
    if (kind === READMITTED) departed.delete(meter);
    else if (known.has(nameOfEntry(entry))) continue;
    else if (kind === DEPARTED) departed.set(meter, entry);
    else await withdraw(entry);
  }
  for (const entry of departed.values()) await withdraw(entry);
  for (const [title, purposes] of lost)
    await dependencies.rotations.plan({
      meters: [title],
      madeBefore: undefined,
      countAbove: undefined,
      purposes: [...purposes].sort(),
      cause: "compromise",
      risk: CAUSE_RISK.compromise,
      plannedBy: "restore",
      at: now(),
      limit: 1,
    });
  const body = {
    losses: names,
    frozen: isFrozen,
    again,
    left: left.slice(0, MOST_TOLD),
    leftInAll: left.length,
    strange,
  };
  await committer.submit({ entries: [draft(now(), MADE_GOOD, body)] });
}

const MOST_TOLD = 32;

/** `again`, `known`, or why it cannot be withdrawn. */
async function withdrawn(
  dependencies: MakeGoodDependencies,
  entry: WithdrawingEntry,
  lost: Map<string, Set<Purpose>>,
): Promise<string> {
  const { committer, headEnds, departures, now } = dependencies;
  const said = JSON.parse(entry.body) as Readonly<Record<string, unknown>>;
  const by = { since: now(), by: entry.principal, reason: textOf(said["reason"]) };
  switch (entry.kind) {
    case KEY_STATES:
      return keysAgain(dependencies, entry, said["changes"] as readonly KeyChange[], lost);
    case "approver-suspended":
      return documentAgain(dependencies, entry, (document) => suspended(document, textOf(said["approver"]), by));
    case EXECUTED: {
      const { kind, body, hash } = said as { readonly hash: string } & Pick<ChangeRequest, "kind" | "body">;
      if (!WITHDRAWING_CHANGES.has(kind)) return "known";
      return documentAgain(dependencies, entry, (document) => applyChange(document, { kind, body }, hash, now()));
    }
    case "head-end-removed":
      return asKnown(() => headEnds.remove({ name: textOf(said["name"]), reason: by.reason }, CUSTODIAN));
    case DEPARTED: {
      const how = said["how"] as Exclude<MeterStanding, "in-service">;
      return (await departures.hadLeft(entry.meter ?? "", how, by.reason)) ? "again" : "known";
    }
    default:
      // Leases are what the ledger says of them, and nothing else.
      await committer.submit({ entries: [draft(now(), entry.kind, said, entry.principal)] });
      return "again";
  }
}

interface KeyChange {
  readonly purpose: string;
  readonly setup?: number;
  readonly version: number;
  readonly to: KeyState;
}

async function keysAgain(
  { files, committer, now }: MakeGoodDependencies,
  { meter = "" }: WithdrawingEntry,
  changes: readonly KeyChange[],
  lost: Map<string, Set<Purpose>>,
): Promise<string> {
  const gone = changes.filter(({ to }) => isLost(to));
  try {
    const file = await files.load(meter);
    if (file === undefined) return `meter ${meter} is not in custody`;
    const keys = file.keys.filter(
      (key) =>
        key.state !== "destroyed" &&
        mayBecome(key.state, "compromised") &&
        gone.some(
          ({ purpose, setup = key.setup, version }) =>
            purpose === purposeName(key.purpose) && setup === key.setup && version === key.version,
        ),
    );
    if (keys.length === 0) return "known";
    await committer.submit(stateChange(keys, "compromised", "custodian", now(), "compromised before a restore"));
    for (const { setup, purpose } of keys) {
      if (setup !== 0 || purpose > 3) continue;
      const purposes = lost.get(meter) ?? new Set();
      lost.set(meter, purposes.add(purpose as Purpose));
    }
    return "again";
  } catch (error) {
    if (error instanceof CallRefusal) return error.message;
    throw error;
  }
}

async function documentAgain(
  { documents, now }: Pick<MakeGoodDependencies, "documents" | "now">,
  { kind, principal, body }: WithdrawingEntry,
  apply: (document: Parameters<typeof applyChange>[0]) => ReturnType<typeof applyChange>,
): Promise<string> {
  if (documents.spoilt !== undefined) return documents.spoilt;
  let outcome = "again";
  await documents.change((document) => {
    const applied = apply(document);
    if (applied === "elsewhere" || "problem" in applied) {
      outcome = applied === "elsewhere" ? "another part changes it" : applied.problem;
      return { entries: [] };
    }
    if (applied.next === document) outcome = "known";
    const entries = outcome === "known" ? [] : [draft(now(), kind, JSON.parse(body) as object, principal)];
    return { next: applied.next === document ? undefined : applied.next, entries };
  });
  return outcome;
}

async function asKnown(act: () => Promise<unknown>): Promise<string> {
  try {
    return (await act()) === false ? "known" : "again";
  } catch (error) {
    if (error instanceof CallRefusal) return "known";
    throw error;
  }
}

async function refusedAsBefore(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof CustodyError && error.code === "custody-write-conflict")) throw error;
  }
}

/** What cannot be withdrawn keeps nobody from starting: it is told. That nothing can be written at all does. */
async function guarded(act: () => Promise<string>): Promise<string> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof CallRefusal || error instanceof PkiError) return error.message;
    if (error instanceof CustodyError && error.code === "custody-write-conflict") return error.message;
    throw error;
  }
}

function textOf(said: unknown): string {
  return typeof said === "string" ? said : "";
}

/** The same words may be said again another day, and of another meter. */
function nameOfEntry({ at, kind, meter, body }: Pick<WithdrawingEntry, "at" | "kind" | "meter" | "body">): string {
  return `${at} ${kind} ${meter ?? ""} ${body}`;
}

function draft(at: number, kind: string, body: object, principal = "custodian"): LedgerDraft {
  return { at, kind, principal, utility: "*", island: "*", body };
}

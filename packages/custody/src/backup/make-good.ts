import type { ChangeRequest } from "@meterkeep/guard";
import type { LedgerEntry } from "@meterkeep/ledger";
import { PkiError } from "@meterkeep/pki";
import { applyChange, isLeftAlone, suspendedAgain } from "../authority/apply-change.ts";
import type { Authority } from "../authority/authority.ts";
import { MOST_REASON_CHARACTERS } from "../authority/document.ts";
import type { DocumentKeeper } from "../authority/document-keeper.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { Departures } from "../departure/departures.ts";
import { READMITTED } from "../departure/readmission.ts";
import { CustodyError } from "../errors.ts";
import { ENROLLED, type HeadEnds, REMOVED } from "../head-ends/head-ends.ts";
import { FIELD_KINDS } from "../lease/field-record.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer } from "../store/committer.ts";
import type { MeterStanding } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { type KeysAgain, type KeysAgainDependencies, keysAgain } from "./keys-again.ts";
import { type Loss, MADE_GOOD, MAKING_GOOD } from "./losses.ts";
import { keyPages, linesSince } from "./lost-lines.ts";
import {
  DEPARTED,
  EXECUTED,
  KEY_STATES,
  nameOfEntry,
  WITHDRAWING_CHANGES,
  type WithdrawalJournal,
  type WithdrawingEntry,
} from "./withdrawals.ts";

const CUSTODIAN: Caller = { name: "custodian", role: "operator" };
/** Pages of keys that are made good before anybody is served: the rest goes on beside the service. */
const PAGES_AT_START = 4;
/** And so many at a sweep. */
const PAGES_AT_A_SWEEP = 4;
const MOST_TOLD = 32;
/** What changes the authority's document. */
const OF_PEOPLE: readonly string[] = ["approver-suspended", EXECUTED];

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
  // `MakingGood` reads the same lines, and tells of those that are nobody's.
  for await (const line of linesSince(journal, losses, () => undefined)) {
    if (line.kind === "manifest") {
      const { manifest } = line;
      const { utility, island, hash } = manifest;
      const said = { at: now(), kind: "manifest-submitted", principal: "custodian", utility, island };
      const entries = [{ ...said, body: { hash, restored: true } }];
      await refusedAsBefore(() => committer.submit({ writes: [{ kind: "add-manifest", manifest }], entries }));
    }
    if (line.kind !== "seal") continue;
    const { seal } = line;
    const { utility, island, systemTitle: meter, nonce, manifest, counter } = seal;
    const body = { nonce, manifest, counter, restored: true };
    const entry = { at: now(), kind: "critical-sealed", principal: "custodian", utility, island, meter, body };
    const mac = new Uint8Array(Buffer.from(line.mac, "hex"));
    await refusedAsBefore(() =>
      committer.submit({ writes: [{ kind: "seal-critical", seal, mac, caps: undefined }], entries: [entry] }),
    );
  }
}

/** What makes good needs. */
export interface MakeGoodDependencies extends KeysAgainDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "ofKinds">;
  readonly authority: Pick<Authority, "document" | "freeze">;
  readonly documents: Pick<DocumentKeeper, "change" | "spoilt" | "isBefore" | "putRight">;
  readonly headEnds: Pick<HeadEnds, "again">;
  readonly departures: Pick<Departures, "hadLeft">;
}

/**
 * Makes good what a database lost that was put back: everything critical is frozen until two people lift it, and what was
 * withdrawn since is withdrawn again. Doing it again changes nothing: a process that dies on the way begins anew. What cannot be
 * withdrawn again stands in the entry that ends it, how many lines of the journal this vault has not written, and whether
 * lines are gone: each may be a withdrawal that somebody took back.
 *
 * States: *frozen* (people, head-ends, handhelds and departures are made good before anybody is served, and the first keys),
 * *going on* (a page of meters' keys after the other, beside the service), *made good*.
 */
export class MakingGood {
  readonly #dependencies: MakeGoodDependencies;
  readonly #journal: WithdrawalJournal;
  readonly #losses: readonly Loss[];
  readonly #left: string[] = [];
  #leftInAll = 0;
  #again = 0;
  #strange = 0;
  readonly #isBroken: boolean;
  readonly #isUnwitnessed: boolean;
  #isFrozen = false;
  #pages: ReturnType<typeof keyPages> | undefined;
  #isMadeGood = false;

  /**
   * @param isBroken lines of the journal are gone, and nobody has accepted that: nothing that gives back is believed, of lines
   *   before the gap neither, since what came last may be in it
   * @param isUnwitnessed the state folder is new as well: nobody knows whether lines are gone
   */
  constructor(
    journal: WithdrawalJournal,
    losses: readonly Loss[],
    dependencies: MakeGoodDependencies,
    { isBroken = false, isUnwitnessed = false }: { readonly isBroken?: boolean; readonly isUnwitnessed?: boolean } = {},
  ) {
    this.#isBroken = isBroken;
    this.#isUnwitnessed = isUnwitnessed;
    this.#journal = journal;
    this.#losses = losses;
    this.#dependencies = dependencies;
  }

  /** Before anybody is served. */
  async begin(): Promise<void> {
    const losses = this.#losses;
    if (losses.length === 0) return;
    await this.#freeze();
    await this.#entriesAgain();
    this.#pages = keyPages(
      linesSince(this.#journal, losses, () => undefined),
      this.#isBroken,
    );
    await this.#step(PAGES_AT_START);
    if (this.#pages === undefined) return;
    const names = losses.map(({ name }) => name);
    await this.#write(MAKING_GOOD, { losses: names, frozen: this.#isFrozen });
  }

  /** Whether something is left to be made good, by the next start where this one has left off. */
  get isGoingOn(): boolean {
    return this.#losses.length > 0 && !this.#isMadeGood;
  }

  /** Goes on with what is left of it; to be called every few seconds. */
  async tend(): Promise<void> {
    await this.#step(PAGES_AT_A_SWEEP);
  }

  /** Leaves off where it is: the next start begins anew. */
  async close(): Promise<void> {
    await this.#pages?.return(undefined);
    this.#pages = undefined;
  }

  async #freeze(): Promise<void> {
    const { authority, documents } = this.#dependencies;
    // Where nobody is enrolled nothing can be approved, and nobody could thaw.
    this.#isFrozen = documents.spoilt === undefined && authority.document.approvers.length > 0;
    if (!this.#isFrozen || this.#losses.every(({ isTold }) => isTold)) return;
    const journal = this.#isUnwitnessed
      ? ["the state folder does not know where the journal of withdrawals ended"]
      : [];
    const lostIn = [...this.#losses.map(({ words }) => words), ...journal].join("; ");
    await authority.freeze(`the database lost what it knew: ${lostIn}`.slice(0, MOST_REASON_CHARACTERS), "custodian");
  }

  /** What stands in the ledger as an entry of its own, keys aside. */
  async #entriesAgain(): Promise<void> {
    const { ledger, documents: people } = this.#dependencies;
    const kinds = [...OF_PEOPLE, ENROLLED, REMOVED, DEPARTED, ...Object.values(FIELD_KINDS)];
    // A document that was put back has not what the ledger says after it.
    const isHere = ({ kind, sequence }: LedgerEntry) => !(OF_PEOPLE.includes(kind) && people.isBefore(sequence));
    const known = new Set((await ledger.ofKinds(kinds)).filter(isHere).map(nameOfEntry));
    // Who left and came back is here, and who was taken away and let in again: what counts is how it was in the end.
    const inTheEnd = new Map<string, WithdrawingEntry>();
    const readmitted: string[] = [];
    const lines = linesSince(
      this.#journal,
      this.#losses,
      () => {
        this.#strange += 1;
      },
      () => undefined,
    );
    const withdrawn: WithdrawingEntry[] = [];
    for await (const line of lines) {
      if (line.kind !== "entry") continue;
      const { entry } = line;
      if (entry.kind === KEY_STATES) continue;
      if (entry.kind === READMITTED) readmitted.push(entry.meter ?? "");
      // Where lines are gone nobody knows what came last.
      if (entry.kind === READMITTED && !this.#isBroken) inTheEnd.delete(placeOf(entry));
      else if (entry.kind === DEPARTED) inTheEnd.set(placeOf(entry), entry);
      else if (entry.kind === REMOVED || (entry.kind === ENROLLED && !this.#isBroken))
        inTheEnd.set(placeOf(entry), entry);
      else if (!known.has(nameOfEntry(entry))) withdrawn.push(entry);
    }
    for (const entry of [...withdrawn, ...[...inTheEnd.values()].filter((one) => !known.has(nameOfEntry(one)))])
      await this.#withdraw(entry);
    if (this.#isBroken && readmitted.length > 0)
      this.#tell(`${readmitted.length} meters that came back: lines of the journal are gone, look where they are`);
    const { documents, authority } = this.#dependencies;
    if (this.#isFrozen && documents.spoilt === undefined && isLeftAlone(authority.document))
      this.#tell(
        "fewer than two approvers are left, as before: restore again with the change feed, which has who was enrolled since",
      );
  }

  async #withdraw(entry: WithdrawingEntry): Promise<void> {
    const done = await guarded(() => withdrawn(this.#dependencies, entry));
    if (done === "again") this.#again += 1;
    else if (done !== "known") this.#tell(`${entry.kind}: ${done}`);
  }

  #tell(...sentences: readonly string[]): void {
    this.#leftInAll += sentences.length;
    this.#left.push(...sentences.slice(0, MOST_TOLD - this.#left.length));
  }

  async #step(pages: number): Promise<void> {
    for (let left = pages; left > 0 && this.#pages !== undefined; left -= 1) {
      const { value, done } = await this.#pages.next();
      if (done === true) return this.#end();
      const { again, left: not }: KeysAgain = await keysAgain(this.#dependencies, value);
      this.#again += again;
      this.#tell(...not);
    }
  }

  async #end(): Promise<void> {
    this.#pages = undefined;
    const body = {
      losses: this.#losses.map(({ name }) => name),
      frozen: this.#isFrozen,
      again: this.#again,
      left: this.#left,
      leftInAll: this.#leftInAll,
      strange: this.#strange,
      ...(this.#isBroken && { broken: true }),
      ...(this.#isUnwitnessed && { unwitnessed: true }),
    };
    await this.#write(MADE_GOOD, body);
    this.#isMadeGood = true;
  }

  async #write(kind: string, body: object): Promise<void> {
    const { committer, now } = this.#dependencies;
    await committer.submit({ entries: [installationEntry(now(), kind, "custodian", body)] });
  }
}

/** `again`, `known`, or why it cannot be withdrawn. */
async function withdrawn(dependencies: MakeGoodDependencies, entry: WithdrawingEntry): Promise<string> {
  const { committer, headEnds, departures, now } = dependencies;
  const said = JSON.parse(entry.body) as Readonly<Record<string, unknown>>;
  const by = { since: now(), by: entry.principal, reason: textOf(said["reason"]) };
  switch (entry.kind) {
    case "approver-suspended":
      return documentAgain(dependencies, entry, (document) => suspendedAgain(document, textOf(said["approver"]), by));
    case EXECUTED: {
      const { kind, body, hash } = said as { readonly hash: string } & Pick<ChangeRequest, "kind" | "body">;
      if (!WITHDRAWING_CHANGES.has(kind)) return "known";
      return documentAgain(dependencies, entry, (document) => {
        const applied = applyChange(document, { kind, body }, hash, now());
        const gone = body["approver"] ?? body["replaces"];
        // A document that is newer than the ledger has it.
        if (document.removed.includes(textOf(gone))) return { next: document };
        // Whoever cannot be taken out here counts for nothing all the same.
        return applied !== "elsewhere" && "problem" in applied && gone !== undefined
          ? suspendedAgain(document, textOf(gone), { ...by, reason: `${kind} before a restore` })
          : applied;
      });
    }
    case ENROLLED:
    case REMOVED:
      return (await headEnds.again(entry.body, CUSTODIAN)) ? "again" : "known";
    case DEPARTED: {
      const how = said["how"] as Exclude<MeterStanding, "in-service">;
      return (await departures.hadLeft(entry.meter ?? "", how, by.reason)) ? "again" : "known";
    }
    default:
      // Leases are what the ledger says of them, and nothing else.
      await committer.submit({
        entries: [installationEntry(now(), entry.kind, entry.principal, { ...said, restored: true })],
      });
      return "again";
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
    const said = { ...(JSON.parse(body) as object), restored: true };
    const entries = outcome === "known" ? [] : [installationEntry(now(), kind, principal, said)];
    return { next: applied.next === document ? undefined : applied.next, entries };
  });
  return outcome;
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

/** The meter, or the head-end, that an entry is about. */
function placeOf({ kind, meter, body }: WithdrawingEntry): string {
  if (kind === DEPARTED || kind === READMITTED) return `meter ${meter ?? ""}`;
  return `head-end ${textOf((JSON.parse(body) as { readonly name?: string }).name)}`;
}

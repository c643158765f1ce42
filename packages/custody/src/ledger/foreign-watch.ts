import { type EntryFault, type Finding, LedgerError } from "@meterkeep/ledger";
import type { Authority } from "../authority/authority.ts";
import { MOST_REASON_CHARACTERS } from "../authority/document.ts";
import type { DocumentKeeper } from "../authority/document-keeper.ts";
import { EXECUTED } from "../backup/withdrawals.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import { installationEntry } from "./installation-entry.ts";
import {
  ALTERED,
  codeOf,
  type FindingBody,
  findingKey,
  isAbout,
  isOfOwn,
  type NamedFindings,
  namedFindings,
  namingEntry,
} from "./named-findings.ts";
import type { PassedPatrol } from "./patrol.ts";
import type { Trouble } from "./trouble.ts";

/** What the watch needs. */
export interface ForeignWatchDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "foreign" | "ofItself" | "ofKinds" | "kinds">;
  readonly committer: Pick<Committer, "submit">;
  readonly authority: Pick<Authority, "document" | "freeze">;
  readonly documents: Pick<DocumentKeeper, "spoilt">;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Has people look when somebody else has written into the ledger, or changed what is in it: whoever did owns the database, and what
 * the database says otherwise is no better.
 *
 * States: *quiet* (nothing was found that people have not seen), *told* (the status says so, start after start; it is not named yet,
 * nobody is enrolled yet, or the freeze is not durable yet), *frozen* (everything critical, where people approve), *seen* (two people
 * have thawed since it was named, by the ledger; where a later pass of the patrol shows that it was put right, it is forgotten, and
 * told anew where it is wrong again).
 */
export class ForeignWatch {
  readonly #dependencies: ForeignWatchDependencies;
  /** What people have seen. */
  #seen: ReadonlySet<string>;
  /** What had been found when those who decide by the ledger last read it again. */
  #readBy: readonly Finding[] | undefined;
  readonly #readers = new Set<() => Promise<void>>();
  /** Of how many findings it was told, in the order in which they were found. */
  #toldOf = 0;
  /** For how many it was frozen, durably. */
  #frozenFor = 0;

  private constructor(dependencies: ForeignWatchDependencies, { found, seenUpTo }: NamedFindings) {
    this.#dependencies = dependencies;
    this.#seen = new Set([...found].filter(([, { sequence }]) => sequence <= seenUpTo).map(([key]) => key));
  }

  static async open(dependencies: ForeignWatchDependencies): Promise<ForeignWatch> {
    return new ForeignWatch(dependencies, await namedFindings(dependencies.ledger));
  }

  /** What people have not seen. */
  get open(): readonly Finding[] {
    return this.#dependencies.ledger.foreign.findings.filter((finding) => !this.#seen.has(findingKey(finding)));
  }

  /**
   * Hears of a pass of the patrol: what people had seen when it began, and it has not found again, was put right. It counts again and
   * is forgotten, so that they are told where it is found once more.
   */
  passed({ before, found, size }: PassedPatrol): void {
    const { foreign } = this.#dependencies.ledger;
    // What was hidden may be there again, of which nobody would be told.
    this.#readBy = undefined;
    const right = before.filter(
      (one) =>
        isOfOwn(one) &&
        one.to <= size &&
        this.#seen.has(findingKey(one)) &&
        !found.some((other) => isAbout(one, other)),
    );
    if (right.length === 0) return;
    foreign.forget(right);
    const keys = new Set(right.map(findingKey));
    this.#seen = new Set([...this.#seen].filter((key) => !keys.has(key)));
  }

  /** Has somebody who holds what the ledger says read it again whenever something else was found, and after each pass of the patrol. */
  onFound(read: () => Promise<void>): void {
    this.#readers.add(read);
  }

  /** What people should hear of. */
  get trouble(): Trouble | undefined {
    const open = this.open;
    if (open.length === 0) return undefined;
    const message = `${wordsOf(open)}. Find out who owns the database, look what else was changed in it, and have two people thaw`;
    return { code: codeOf(open), message };
  }

  /** Names what was found, freezes for it, and lets it rest once people have thawed; to be called every few seconds. */
  async tend(): Promise<void> {
    const { authority, documents, committer, onFailure, now, ledger } = this.#dependencies;
    const { findings } = ledger.foreign;
    if (findings !== this.#readBy) {
      for (const read of this.#readers) await read().catch(onFailure);
      if (documents.spoilt === undefined) await this.#nameMended();
      this.#readBy = findings;
    }
    const open = this.open;
    if (open.length === 0 || documents.spoilt !== undefined) return;
    const count = ledger.foreign.found;
    if (count > this.#toldOf) {
      this.#toldOf = count;
      onFailure(new LedgerError(codeOf(open), wordsOf(open)));
    }
    const named = await this.#name(open);
    const { approvers, frozen } = authority.document;
    // Where nobody is enrolled nothing can be approved, and nobody could thaw: it is frozen once somebody is.
    if (approvers.length === 0) return;
    if (count > this.#frozenFor) {
      if (frozen === undefined) await authority.freeze(wordsOf(open).slice(0, MOST_REASON_CHARACTERS), "custodian");
      // Only now: a freeze that was not written is none that people could have ended.
      this.#frozenFor = count;
      return;
    }
    const last = Math.max(
      ...open.map((finding) => named.get(findingKey(finding))?.sequence ?? Number.POSITIVE_INFINITY),
    );
    if (frozen !== undefined || !(await this.#wasThawedSince(last))) return;
    const [from, to] = [Math.min(...open.map((one) => one.from)), Math.max(...open.map((one) => one.to))];
    const body: FindingBody = { from, to, accepted: true, named: last };
    await committer.submit({ entries: [installationEntry(now(), codeOf(open), "custodian", body)] });
    this.#seen = new Set([...this.#seen, ...open.map(findingKey)]);
  }

  /** Names those that were found while reading; what was appended, the committer has named. */
  async #name(open: readonly Finding[]): Promise<NamedFindings["found"]> {
    const { ledger, committer, now } = this.#dependencies;
    const named = await this.#unseen();
    const unnamed = open.filter((finding) => isOfOwn(finding) && !named.has(findingKey(finding)));
    if (unnamed.length === 0) return named;
    const some = unnamed.slice(0, MOST_AT_ONCE);
    const entries = await Promise.all(some.map((finding) => namingEntry(ledger, finding, now())));
    await committer.submit({ entries });
    return this.#unseen();
  }

  /** What is named and not accepted yet: what was put right after that and is wrong again has to be named once more. */
  async #unseen(): Promise<NamedFindings["found"]> {
    const { found, seenUpTo } = await namedFindings(this.#dependencies.ledger);
    return new Map([...found].filter(([, { sequence }]) => sequence > seenUpTo));
  }

  /** Says what people have accepted and was put right since. */
  async #nameMended(): Promise<void> {
    const { ledger, committer, now } = this.#dependencies;
    const { found, seenUpTo } = await namedFindings(ledger);
    const isWrong = (one: Finding) => ledger.foreign.findings.some((other) => isAbout(one, other));
    const mended = [...found.values()].filter((one) => isOfOwn(one) && one.sequence <= seenUpTo && !isWrong(one));
    for (let at = 0; at < mended.length; at += MOST_AT_ONCE) {
      const entries = mended.slice(at, at + MOST_AT_ONCE).map(({ from, to, fault }) => {
        const body: FindingBody = { from, to, fault, mended: true };
        return installationEntry(now(), ALTERED, "custodian", body);
      });
      await committer.submit({ entries });
    }
  }

  async #wasThawedSince(entry: number): Promise<boolean> {
    const executed = await this.#dependencies.ledger.ofKinds([EXECUTED]);
    return executed.some(
      ({ sequence, body }) => sequence > entry && (JSON.parse(body) as { readonly kind: string }).kind === "thaw",
    );
  }
}

/** What is wrong, in words for who reads the status. */
const FAULTS: Readonly<Record<EntryFault, string>> = {
  altered: "changed since this custodian wrote it, and counted nowhere",
  missing: "written by this custodian, and gone",
  replaced: "not the history that this custodian wrote, or nobody can tell",
  rehashed: "as they were written, under a stored hash that was another, and was computed anew",
  hidden: "kept by the database from what is decided by it",
  appended: "not written by this custodian, and counted nowhere",
  beyond: "behind a gap in the numbers, not written by this custodian, and read by nobody",
};

function wordsOf(findings: readonly Finding[]): string {
  return Object.entries(FAULTS)
    .map(([fault, words]) => [findings.filter((one) => one.fault === fault), words] as const)
    .filter(([of]) => of.length > 0)
    .map(([of, words]) => `${numbersOf(of)} of the ledger: ${words}`)
    .join("; ");
}

function numbersOf(findings: readonly Finding[]): string {
  const which = findings.map(({ from, to }) => (from === to ? `entry ${from}` : `entries ${from} to ${to}`));
  const more = which.length - MOST_IN_WORDS;
  return [...which.slice(0, MOST_IN_WORDS), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

const MOST_IN_WORDS = 8;
/** Entries that name findings, of one commit. */
const MOST_AT_ONCE = 64;

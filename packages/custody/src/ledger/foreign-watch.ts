import { type EntryRange, LedgerError } from "@meterkeep/ledger";
import type { Authority } from "../authority/authority.ts";
import { MOST_REASON_CHARACTERS } from "../authority/document.ts";
import type { DocumentKeeper } from "../authority/document-keeper.ts";
import { EXECUTED } from "../backup/withdrawals.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import { installationEntry } from "./installation-entry.ts";
import { FOREIGN, type ForeignBody } from "./own-ends.ts";
import type { Trouble } from "./trouble.ts";

/** What the watch needs. */
export interface ForeignWatchDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "foreign" | "ofItself" | "ofKinds">;
  readonly committer: Pick<Committer, "submit">;
  readonly authority: Pick<Authority, "document" | "freeze">;
  readonly documents: Pick<DocumentKeeper, "spoilt">;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Has people look when somebody else has written into the ledger: whoever did owns the database, and what the database says
 * otherwise is no better.
 *
 * States: *quiet* (nothing foreign that people have not seen), *told* (the status says so, start after start; nobody is enrolled yet, or the
 * freeze is not durable yet), *frozen* (everything critical, where people approve), *seen* (two people have thawed since, by the ledger).
 */
export class ForeignWatch {
  readonly #dependencies: ForeignWatchDependencies;
  /** Up to which entry people have seen what is foreign. */
  #seen: number;
  /** Up to which entry it was told of. */
  #toldOf = 0;
  /** Up to which entry it was frozen for, durably. */
  #frozenFor = 0;

  private constructor(dependencies: ForeignWatchDependencies, seen: number) {
    this.#dependencies = dependencies;
    this.#seen = seen;
  }

  static async open(dependencies: ForeignWatchDependencies): Promise<ForeignWatch> {
    const seen = (await dependencies.ledger.ofItself()).flatMap(({ kind, body }) => {
      const { to, accepted } = kind === FOREIGN ? (JSON.parse(body) as ForeignBody) : {};
      return accepted === true && to !== undefined ? [to] : [];
    });
    return new ForeignWatch(dependencies, Math.max(0, ...seen));
  }

  /** What people should hear of. */
  get trouble(): Trouble | undefined {
    const open = this.#open;
    return open.length === 0
      ? undefined
      : {
          code: FOREIGN,
          message: `${wordsOf(open)}. Find out who owns the database, look what else was changed in it, and have two people thaw`,
        };
  }

  /** Freezes for what was found, and lets it rest once people have thawed; to be called every few seconds. */
  async tend(): Promise<void> {
    const open = this.#open;
    if (open.length === 0) return;
    const [from, to] = [Math.min(...open.map((one) => one.from)), Math.max(...open.map((one) => one.to))];
    const { authority, documents, committer, onFailure, now } = this.#dependencies;
    if (documents.spoilt !== undefined) return;
    if (to > this.#toldOf) {
      this.#toldOf = to;
      onFailure(new LedgerError(FOREIGN, this.trouble?.message ?? ""));
    }
    const { approvers, frozen } = authority.document;
    // Where nobody is enrolled nothing can be approved, and nobody could thaw: it is frozen once somebody is.
    if (approvers.length === 0) return;
    if (to > this.#frozenFor) {
      if (frozen === undefined) await authority.freeze(wordsOf(open).slice(0, MOST_REASON_CHARACTERS), "custodian");
      // Only now: a freeze that was not written is none that people could have ended.
      this.#frozenFor = to;
      return;
    }
    if (frozen !== undefined || !(await this.#wasThawedSince(to))) return;
    const body = { from, to, accepted: true } satisfies ForeignBody;
    await committer.submit({ entries: [installationEntry(now(), FOREIGN, "custodian", body)] });
    this.#seen = to;
  }

  async #wasThawedSince(entry: number): Promise<boolean> {
    const executed = await this.#dependencies.ledger.ofKinds([EXECUTED]);
    return executed.some(
      ({ sequence, body }) => sequence > entry && (JSON.parse(body) as { readonly kind: string }).kind === "thaw",
    );
  }

  get #open(): readonly EntryRange[] {
    return this.#dependencies.ledger.foreign.ranges.filter(({ to }) => to > this.#seen);
  }
}

function wordsOf(ranges: readonly EntryRange[]): string {
  const which = ranges.map(({ from, to }) => (from === to ? `entry ${from}` : `entries ${from} to ${to}`));
  return `${which.slice(0, MOST_NAMED).join(", ")} of the ledger: not written by this custodian, and counted nowhere`;
}

const MOST_NAMED = 8;

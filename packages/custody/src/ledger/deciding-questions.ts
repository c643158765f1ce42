import type { LedgerEntry } from "@meterkeep/ledger";
import { AUTHORITY_MADE, CERTIFICATE_ORDERED, CERTIFICATES_REMOVED, orderOf } from "@meterkeep/pki";
import type { AuthorityMark } from "../authority/store/records.ts";
import { EXECUTED } from "../backup/withdrawals.ts";
import { COUNTERS_ACCEPTED, MARK_KINDS } from "../records/marks.ts";
import { MOST_ACCEPTED_MARKS } from "../store/newest-marks.ts";
import type { CustodyStore } from "../store/store.ts";

type AskedStore = Pick<CustodyStore, "counterLine" | "entriesBehind" | "pkiLedger" | "ledger"> & {
  readonly authority: Pick<CustodyStore["authority"], "document" | "wasExecuted">;
};

type LastOf = Parameters<CustodyStore["ledger"]["lastOf"]>;

/** Entries of a kind in order, by their sequences. */
export type SequencesByKind = ReadonlyMap<string, readonly number[]>;

/** Questions that are remembered of each sort: more than there are kinds, head-ends and utilities in any installation. */
const MOST_ASKED = 4096;

const HISTORY: ReadonlySet<string> = new Set(["key-states-changed", "meter-departed", "meter-readmitted"]);
const MARKS: ReadonlySet<string> = new Set(Object.values(MARK_KINDS));
const COUNTERS_RESERVED = "counters-reserved";
const AUTHORITY_RECORDED = "authority-recorded";

/**
 * Asks the ledger what is asked of it where something is decided, by the very statements, for entries that are known to be in it:
 * what the answer leaves out, a database keeps from whoever decides that shows it to whoever reads the ledger through. Kinds,
 * principals and meters are those that somebody has asked for since the start.
 */
export class DecidingQuestions {
  readonly #store: AskedStore;
  readonly #ofKinds = new Map<string, readonly string[]>();
  readonly #ofMeters = new Map<string, readonly string[]>();
  readonly #lastOf = new Map<string, LastOf>();

  constructor(store: AskedStore) {
    this.#store = store;
  }

  /** The same ledger, whose readers are remembered. */
  noting<T extends Pick<CustodyStore["ledger"], "ofKinds" | "ofMeters" | "lastOf">>(ledger: T): T {
    return {
      ...ledger,
      ofKinds: (kinds) => {
        note(this.#ofKinds, kinds.join(), kinds);
        return ledger.ofKinds(kinds);
      },
      ofMeters: (meters, kinds) => {
        note(this.#ofMeters, kinds.join(), kinds);
        return ledger.ofMeters(meters, kinds);
      },
      lastOf: (...asked) => {
        note(this.#lastOf, JSON.stringify(asked), asked);
        return ledger.lastOf(...asked);
      },
    };
  }

  /** Kinds whose entries are read all at once: `leftOutOfKinds` wants their numbers. */
  get kinds(): ReadonlySet<string> {
    return new Set([...this.#ofKinds.values()].flat());
  }

  /** Which of these entries, read one after the other and as they were written, the answers about them leave out. */
  async leftOut(entries: readonly LedgerEntry[]): Promise<readonly number[]> {
    const out: number[] = [];
    for (const ask of [this.#counters, this.#files, this.#authority, this.#orders, this.#removals, this.#noted])
      out.push(...(await ask.call(this, entries)));
    return out;
  }

  /** Which of all entries of the kinds that are asked for are not in the answers. */
  async leftOutOfKinds(there: SequencesByKind): Promise<readonly number[]> {
    const { ledger } = this.#store;
    const out: number[] = [];
    const compare = (kinds: readonly string[], answer: readonly LedgerEntry[]) => {
      const given = new Set(answer.map(({ sequence }) => sequence));
      for (const kind of kinds) out.push(...(there.get(kind) ?? []).filter((sequence) => !given.has(sequence)));
    };
    for (const kinds of [...this.#ofKinds.values()]) compare(kinds, await ledger.ofKinds(kinds));
    compare(
      [...there.keys()].filter((kind) => kind.startsWith(OF_ITSELF)),
      await ledger.ofItself(),
    );
    return out;
  }

  async #counters(entries: readonly LedgerEntry[]): Promise<number[]> {
    const newest = new Map<string, LedgerEntry & { readonly meter: string; readonly setup: number }>();
    for (const entry of entries) {
      if (entry.kind !== COUNTERS_RESERVED || entry.meter === undefined) continue;
      const setup = setupOf(entry);
      newest.set(`${entry.meter}/${setup}`, { ...entry, meter: entry.meter, setup });
    }
    const out: number[] = [];
    for (const { sequence, utility, island, meter: systemTitle, setup } of newest.values()) {
      const line = await answerTo(() => this.#store.counterLine({ utility, island, systemTitle, setup }));
      if ((line?.markedAt ?? 0) < sequence) out.push(sequence);
    }
    return out;
  }

  async #files(entries: readonly LedgerEntry[]): Promise<number[]> {
    const behind = entries.filter(({ kind }) => HISTORY.has(kind) || MARKS.has(kind) || kind === COUNTERS_ACCEPTED);
    const titles = [...new Set(behind.flatMap(({ meter }) => meter ?? []))];
    if (titles.length === 0) return [];
    const given = await answerTo(() => this.#store.entriesBehind(titles));
    if (given === undefined) {
      if (titles.length === 1) return behind.map(({ sequence }) => sequence);
      const alone = titles.map((title) => this.#files(behind.filter(({ meter }) => meter === title)));
      return (await Promise.all(alone)).flat();
    }
    return behind.flatMap((entry) => {
      // Of a meter that is not there nothing is judged.
      const those = given.get(entry.meter ?? "");
      return those === undefined || isBehind(entry, those) ? [] : [entry.sequence];
    });
  }

  async #authority(entries: readonly LedgerEntry[]): Promise<number[]> {
    const out: number[] = [];
    const recorded = entries.findLast(({ kind }) => kind === AUTHORITY_RECORDED);
    if (recorded !== undefined) {
      const { mark } = await this.#store.authority.document();
      if ((mark?.revision ?? 0) < (JSON.parse(recorded.body) as AuthorityMark).revision) out.push(recorded.sequence);
    }
    for (const { kind, sequence, body } of entries)
      if (kind === EXECUTED && !(await this.#store.authority.wasExecuted((JSON.parse(body) as { hash: string }).hash)))
        out.push(sequence);
    return out;
  }

  async #orders(entries: readonly LedgerEntry[]): Promise<number[]> {
    const ordering = entries.filter(({ kind }) => kind === CERTIFICATE_ORDERED || kind === AUTHORITY_MADE);
    const all = ordering.flatMap((entry) => ({ ...orderOf(entry), sequence: entry.sequence }));
    const out: number[] = [];
    for (const [authority = "", orders] of Map.groupBy(all, (order) => order.authority)) {
      const given = await this.#store.pkiLedger.ofSerials(
        authority,
        orders.flatMap(({ serial }) => serial ?? []),
      );
      for (const { sequence, serial, profile, key } of orders)
        if (!given.some((one) => one.serial === serial && one.profile === profile && one.key === key))
          out.push(sequence);
    }
    return out;
  }

  async #removals(entries: readonly LedgerEntry[]): Promise<number[]> {
    const out: number[] = [];
    for (const { kind, sequence, body } of entries) {
      if (kind !== CERTIFICATES_REMOVED) continue;
      const { plan, meter } = JSON.parse(body) as { readonly plan: string; readonly meter: string };
      if (!(await this.#store.pkiLedger.freed(plan, [meter])).has(meter)) out.push(sequence);
    }
    return out;
  }

  /** By meters, and by who wrote last of a kind, as somebody has asked since the start. */
  async #noted(entries: readonly LedgerEntry[]): Promise<number[]> {
    const { ledger } = this.#store;
    const out: number[] = [];
    for (const kinds of this.#ofMeters.values()) {
      const those = entries.filter(({ kind, meter }) => meter !== undefined && kinds.includes(kind));
      if (those.length === 0) continue;
      const answer = await ledger.ofMeters([...new Set(those.map(({ meter }) => meter as string))], kinds);
      const given = new Set(answer.map(({ sequence }) => sequence));
      out.push(...those.map(({ sequence }) => sequence).filter((sequence) => !given.has(sequence)));
    }
    for (const asked of this.#lastOf.values()) {
      const [kinds, principal, utility] = asked;
      const newest = entries.findLast(
        (entry) => kinds.includes(entry.kind) && entry.principal === principal && entry.utility === utility,
      );
      if (newest === undefined) continue;
      if (((await ledger.lastOf(...asked))?.sequence ?? 0) < newest.sequence) out.push(newest.sequence);
    }
    return out;
  }
}

/** Whether what a meter is judged by has that entry, or newer ones in its place. */
function isBehind(entry: LedgerEntry, those: readonly LedgerEntry[]): boolean {
  const { kind, sequence } = entry;
  if (those.some((one) => one.sequence === sequence)) return true;
  const newer = those.filter((one) => one.kind === kind && one.sequence > sequence);
  if (MARKS.has(kind)) return newer.some((one) => setupOf(one) === setupOf(entry));
  return kind === COUNTERS_ACCEPTED && newer.length >= MOST_ACCEPTED_MARKS;
}

function setupOf({ body }: Pick<LedgerEntry, "body">): number {
  return (JSON.parse(body) as { readonly setup: number }).setup;
}

/** SQLSTATE class 22, data exception: something that is stored keeps the statement from being answered. */
const UNANSWERABLE = /^22/;

/** Undefined where the database cannot answer: whoever decides gets no answer either. */
async function answerTo<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (UNANSWERABLE.test(String((error as { readonly code?: unknown }).code))) return undefined;
    throw error;
  }
}

function note<T>(asked: Map<string, T>, name: string, question: T): void {
  if (asked.size < MOST_ASKED) asked.set(name, question);
}

/** What begins the kinds by which the ledger is kept. */
export const OF_ITSELF = "ledger-";

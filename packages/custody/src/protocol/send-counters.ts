import type { Finding, ForeignEntries } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";
import { counterMark } from "../records/marks.ts";
import { highest } from "../records/record-check.ts";
import { withCounterMacs } from "../records/record-mac.ts";
import { type Committer, decidedByForeign } from "../store/committer.ts";
import type { MeterRecord, SetupPlace, StoredCounter } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";

/** How many counters are reserved at once: a session takes about twenty. */
export const COUNTER_BLOCK = 64;
/** A line that uses up a block faster than this gets one of twice the size: its commits must not slow the sealing. */
const QUICK_MILLISECONDS = 1000;
export const LARGEST_BLOCK = 4096;

/**
 * The first counter used with a meter whose history is not known: above what a factory's tests may have used, never 0.
 */
export const FIRST_COUNTER = 256;

const NONE: readonly Finding[] = [];

const MAX_COUNTER = 0xffff_ffff;

/** What is at hand of a setup's counters. Whoever takes from it again and again has it by reference; `SendCounters` alone changes it. */
export interface SendLine {
  readonly place: SetupPlace;
  /** What was foreign in the ledger when it was read: once more is, it may rest on that, and is read again. */
  readonly foreign: readonly Finding[];
  keyVersion: number;
  /** Reserved and not used: from `next` up to `end`, which is not among them. */
  next: number;
  end: number;
  /** Nothing below this may be reserved: what was, or a hint. */
  floor: number;
  block: number;
  reservedAt: number;
  /** Reservations go one after the other. */
  turn: Promise<void>;
  /** Who took counters last, and the first since anybody else did; whoever does not say who it is is somebody else each time. */
  holder: object | undefined;
  heldFrom: number;
}

/** A line that is ended until this is disposed of. */
export interface EndedLine extends Disposable {
  /** The highest counter that may have been used, or ever be. */
  readonly used: number;
}

/** What became of a counter that somebody named. */
export interface RaisedCounters {
  readonly ahead: number;
  readonly isFollowed: boolean;
}

/** What counters are kept with. */
export interface SendCounterDependencies {
  readonly committer: Committer;
  /** Checked: what it gives is not below what the ledger knows. */
  readonly files: Pick<CustodyStore, "counterLine" | "load">;
  readonly vault: Pick<Vault, "authenticate">;
  readonly now: () => number;
  /** What is foreign in the ledger or was changed in it, another list each time more is found. */
  readonly foreign?: Pick<ForeignEntries, "findings">;
  /** How many counters are left out of a line whose last mark is the entry given: what a lost part of the ledger may have used. */
  readonly skip?: (markedAt: number) => Promise<number>;
  /** How many lines are remembered, all unless given: of one that is forgotten, what was reserved and not used is skipped. */
  readonly mostLines?: number;
}

/**
 * The one source of invocation counters: one line for each security setup, over all sessions, head-ends and key
 * versions, since meters keep one receive counter for each setup, and a refusal of old keys proves something only where
 * its counter was above all others.
 *
 * A counter is given out once, and only out of a block whose reservation is durable, together with its mark in the
 * ledger. What a process had reserved and not used is skipped when it ends.
 */
export class SendCounters {
  readonly #dependencies: SendCounterDependencies;
  /** In the order of their last reservation, the oldest first. */
  readonly #lines = new Map<string, SendLine>();
  readonly #loading = new Map<string, Promise<SendLine>>();
  /** Up to where this process has tried to reserve of each line: a number a meter, kept also of lines that are forgotten. */
  readonly #tried = new Map<string, number>();
  /** Up to where hints were believed, of lines that had any: also of those that are forgotten. */
  readonly #hinted = new Map<string, number>();
  /** Lines of which nothing is reserved. */
  readonly #ended = new Set<string>();

  constructor(dependencies: SendCounterDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Takes `count` counters in a row for use under a version of the unicast key; gives the first. Where they have to be
   * reserved, and that `canWait`, others may share the commit. `holder` is who asks again later whether it was alone.
   *
   * @throws CustodyError `counter-line-exhausted`, and what `files` throws of a row that was put back
   * @throws CallRefusal `meter-left`, and `meter-leaving` where they would be reserved of a line that is ended
   */
  async take(place: SetupPlace, keyVersion: number, count: number, canWait = false, holder?: object): Promise<number> {
    const line = await this.#line(place);
    const first = takeFrom(line, keyVersion, count, holder);
    if (first !== undefined) return first;
    const before = line.turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    line.turn = promise;
    try {
      await before;
      if (this.#isTainted(line)) return await this.take(place, keyVersion, count, canWait, holder);
      // Whoever was before may have reserved enough for both.
      const left = takeFrom(line, keyVersion, count, holder);
      if (left !== undefined) return left;
      return await this.#reserve(line, keyVersion, count, canWait, holder);
    } finally {
      resolve();
    }
  }

  /** The line of a setup, to take from it without looking for it; undefined where it is not remembered. */
  atHand(place: SetupPlace): SendLine | undefined {
    return this.#lines.get(nameOf(place));
  }

  /** The same of a line that is at hand, where they are reserved already; a line that was forgotten has none. */
  takeAtHand(line: SendLine, keyVersion: number, count: number, holder?: object): number | undefined {
    return this.#isTainted(line) ? undefined : takeFrom(line, keyVersion, count, holder);
  }

  /** Whether nobody else has taken any counter of the line since `holder` took `since`. */
  isHeld(place: SetupPlace, holder: object, since: number): boolean {
    const line = this.#lines.get(nameOf(place));
    return line?.holder === holder && line.heldFrom <= since;
  }

  /**
   * The next counters given out are not below `to`, where that skips `most` at most. Each call is judged alone: who
   * believes several keeps count of what they skipped.
   *
   * @returns how far it is ahead of what would be given out next, below 0 where it is behind, and whether so many are skipped
   */
  async raise(place: SetupPlace, to: number, most: number): Promise<RaisedCounters> {
    const line = await this.#line(place);
    const ahead = to - nextOf(line);
    if (ahead <= 0 || ahead > most) return { ahead, isFollowed: false };
    line.next = Math.min(to, line.end);
    line.floor = Math.max(line.floor, to);
    const name = nameOf(place);
    this.#hinted.set(name, Math.max(this.#hinted.get(name) ?? 0, to));
    return { ahead, isFollowed: true };
  }

  /** What is given out next unless another block has to be reserved: all that was ever given out is below. */
  async next(place: SetupPlace): Promise<number> {
    return nextOf(await this.#line(place));
  }

  /**
   * Ends a line: what may be used of it is told, and nothing is reserved above that, until what is given is disposed of. By then
   * either the meter has left, or its line goes on. What another process reserved, or this one tried to, counts as used.
   */
  async end(place: SetupPlace): Promise<EndedLine> {
    const name = nameOf(place);
    // First: whoever reserves has looked here and noted what it tries, or finds it ended.
    this.#ended.add(name);
    using failing = new DisposableStack();
    failing.defer(() => this.#ended.delete(name));
    // Whoever has it takes from it no more, and who comes after reads whether the meter is here.
    this.#forget(name);
    const { next } = await this.#stored(place);
    const ended = failing.move();
    const used = Math.max(FIRST_COUNTER, next - 1, (this.#tried.get(name) ?? 0) - 1);
    return { used, [Symbol.dispose]: () => ended.dispose() };
  }

  async #line(place: SetupPlace): Promise<SendLine> {
    const name = nameOf(place);
    const known = this.#lines.get(name);
    if (known !== undefined && !this.#isTainted(known)) return known;
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(place).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    const line = await loading;
    return this.#isTainted(line) ? this.#line(place) : line;
  }

  get #foreign(): readonly Finding[] {
    return this.#dependencies.foreign?.findings ?? NONE;
  }

  #isTainted(line: SendLine): boolean {
    return line.foreign !== this.#foreign;
  }

  async #load(place: SetupPlace): Promise<SendLine> {
    const { utility, island, systemTitle, setup } = place;
    const foreign = this.#foreign;
    const { next, standing } = await this.#stored(place);
    // Those of a meter that has left are another's.
    if (standing !== undefined) throw new CallRefusal("meter-left", `meter ${systemTitle} has left: it is ${standing}`);
    // What this process has reserved, or may have, is not reserved again, whatever is stored by now.
    const name = nameOf(place);
    const reserved = Math.max(this.#lines.get(name)?.floor ?? 0, this.#tried.get(name) ?? 0);
    const line: SendLine = {
      place: { utility, island, systemTitle, setup },
      foreign,
      keyVersion: 0,
      next,
      end: next,
      floor: Math.max(next, reserved, this.#hinted.get(name) ?? 0),
      block: COUNTER_BLOCK,
      reservedAt: Number.NEGATIVE_INFINITY,
      turn: Promise.resolve(),
      holder: undefined,
      heldFrom: next,
    };
    this.#keep(name, line);
    if (this.#lines.size > (this.#dependencies.mostLines ?? Number.POSITIVE_INFINITY))
      this.#forget(this.#lines.keys().next().value as string);
    return line;
  }

  /**
   * Above what is stored, and what whoever had the meter before has used: where a line begins. What was used and is not in this
   * database any more was used from there on, also of a line of which it has nothing.
   */
  async #stored(place: SetupPlace): Promise<{ readonly next: number } & Pick<MeterRecord, "standing">> {
    const { files, skip } = this.#dependencies;
    const { counters, markedAt } = await files.counterLine(place);
    const { standing, counterFloor = 0 } = (await files.load(place.systemTitle))?.meter ?? {};
    const known = Math.max(highest(counters), counterFloor + 1, FIRST_COUNTER);
    return { next: known + ((await skip?.(markedAt ?? 0)) ?? 0), standing };
  }

  /** As the one that was reserved last. */
  #keep(name: string, line: SendLine): void {
    if (this.#lines.get(name) !== line) this.#forget(name);
    this.#lines.delete(name);
    this.#lines.set(name, line);
  }

  /** What it had at hand is skipped: whoever still has it must not give out what is below another's. */
  #forget(name: string): void {
    const line = this.#lines.get(name);
    this.#lines.delete(name);
    if (line !== undefined) line.end = line.next;
  }

  /** Takes in the turn that reserves: another line of the place, whose reservation shares the commit, ends this one. */
  async #reserve(
    line: SendLine,
    keyVersion: number,
    count: number,
    canWait: boolean,
    holder: object | undefined,
  ): Promise<number> {
    const { committer, vault, now } = this.#dependencies;
    const at = now();
    line.block = at - line.reservedAt < QUICK_MILLISECONDS ? Math.min(line.block * 2, LARGEST_BLOCK) : COUNTER_BLOCK;
    const from = line.floor;
    const next = from + Math.max(line.block, count);
    if (next > MAX_COUNTER)
      throw new CustodyError(
        "counter-line-exhausted",
        `no ${count} invocation counters are left for meter ${line.place.systemTitle}, setup ${line.place.setup}: its keys must be changed`,
      );
    const [counter] = (await withCounterMacs(vault, [{ ...line.place, keyVersion, next }])) as [StoredCounter];
    const name = nameOf(line.place);
    if (this.#ended.has(name))
      throw new CallRefusal("meter-leaving", `meter ${line.place.systemTitle} is leaving: no counter is given out`);
    this.#tried.set(name, Math.max(this.#tried.get(name) ?? 0, next));
    try {
      if (this.#isTainted(line)) throw decidedByForeign();
      await committer.submit({
        writes: [{ kind: "reserve-counters", from, counter }],
        entries: [counterMark(counter, at)],
        canWait,
      });
    } catch (error) {
      // What is stored may be ahead of it: it is read again.
      this.#forget(name);
      line.end = line.next;
      line.floor = Math.max(line.floor, next);
      throw error;
    }
    // A hint may have come between, to this line or to one that was read meanwhile: what is below it is skipped.
    const hinted = Math.max(line.floor, this.#hinted.get(name) ?? 0);
    Object.assign(line, { keyVersion, next: Math.min(Math.max(from, hinted), next), end: next, reservedAt: at });
    line.floor = Math.max(hinted, next);
    this.#keep(name, line);
    return takeFrom(line, keyVersion, count, holder) ?? this.#reserve(line, keyVersion, count, canWait, holder);
  }
}

function nextOf({ next, end, floor }: SendLine): number {
  return next < end ? next : floor;
}

function takeFrom(line: SendLine, keyVersion: number, count: number, holder: object | undefined): number | undefined {
  if (line.keyVersion !== keyVersion || line.next + count > line.end) return undefined;
  const first = line.next;
  if (line.holder !== holder || holder === undefined) {
    line.holder = holder;
    line.heldFrom = first;
  }
  line.next += count;
  return first;
}

/** Of the setup that nearly all have the title alone: no text is made for it, and its hash is known. */
function nameOf({ systemTitle, setup }: SetupPlace): string {
  return setup === 0 ? systemTitle : `${systemTitle}/${setup}`;
}

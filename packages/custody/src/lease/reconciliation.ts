import type { LeaseCount } from "@meterkeep/api/custodian";
import { COUNTERS_PER_ASSOCIATION } from "@meterkeep/dlms";
import type { LeasedMeter } from "./lease-file.ts";

/** What a handheld's journal says of one meter. */
export interface JournalWord {
  /** The first counter that was not used. */
  readonly next: number;
  /** Counters that the meter had taken and this handheld knew nothing of: it went on above them. */
  readonly passed: readonly PassedCounters[];
}

/** Counters from the first one up to `next`, which is not among them. */
export interface PassedCounters {
  readonly meter: string;
  readonly first: number;
  readonly next: number;
}

/** What a journal says of each meter, by system title. */
export function wordsOf(
  used: readonly { readonly meter: string; readonly next: number }[],
  passed: readonly PassedCounters[],
): ReadonlyMap<string, JournalWord> {
  return new Map(
    used.map(({ meter, next }) => [meter, { next, passed: passed.filter((one) => one.meter === meter) }] as const),
  );
}

/** What a meter's counter object showed after a lease, to anybody who asks: nothing vouches for it. */
export interface CounterRead {
  readonly lease: string;
  readonly meter: string;
  /** The last counter it has taken; absent where it shows none. */
  readonly counter?: number;
  /** What this custodian would have given out next: everything of its own is below. */
  readonly ours: number;
}

/** What a meter's next authentic answer shows: how many it has sealed since it was lent that nobody here has heard. */
export interface AnswersCounted {
  readonly lease: string;
  readonly meter: string;
  /** Absent where it has sealed more than can be told apart. */
  readonly unheard?: number;
  /** How many it has sealed in all. */
  readonly sealed: number;
  /** Counters of ours above the lease's by then, given out or skipped: of those that were sent the answers may have been lost. */
  readonly since: number;
}

/** What is compared. */
export interface Compared {
  readonly leased: Pick<LeasedMeter, "first" | "count">;
  /** Absent where no journal came. */
  readonly journal: JournalWord | undefined;
  readonly read: CounterRead | undefined;
  readonly answers?: AnswersCounted | undefined;
  /** Whether the keys that were lent are gone: the meter counts under others. */
  readonly isRotated: boolean;
}

/**
 * Compares what a meter shows with what a handheld's journal says, and both with what the meter has answered since: it seals no more
 * answers than it is asked for. Only the last is authentic, and a push that was lost or a cut of its power looks like an answer to others.
 */
export function reconciled(compared: Compared): LeaseCount {
  const { outcome, sentence } = shown(compared);
  const { leased, journal, answers } = compared;
  if (journal === undefined || answers === undefined) return { outcome, sentence };
  const { unheard, sealed } = answers;
  if (unheard === undefined)
    return {
      outcome,
      sentence: `${sentence}; it has used ${sealed} counters of its own since, more than can be told apart: whether the journal and what was heard here explain them is not known`,
    };
  // An association takes three: fewer are what was lost before the lease, and the answer to a release, which nobody opens.
  const more = unheard - Math.max(0, journal.next - leased.first);
  if (more >= COUNTERS_PER_ASSOCIATION)
    return { outcome, sentence: `${sentence}; ${unexplained(more, answers.since)}` };
  const borne =
    outcome === "finding"
      ? "yet it has answered no more than the journal explains: what it shows may be somebody's on the line"
      : "it has answered no more than that";
  return { outcome, sentence: `${sentence}; ${borne}` };
}

/** What is said of answers that the journal does not explain. What we gave out explains none: nothing shows that it was ever sent. */
function unexplained(answers: number, since: number): string {
  const used = `it has used ${answers} counters of its own since that`;
  return since === 0
    ? `${used} neither the journal nor anything heard here explains`
    : `${used} the journal does not explain; ${since} counters were given out or skipped here since, and as many may be answers to these, if they were sent`;
}

/**
 * Compares what a meter has counted with what a handheld's journal says. A meter that has taken fewer has lost some on the way, which
 * does no harm. One that has taken more has been spoken to by somebody of whom the journal does not tell.
 */
function shown({ leased: { first, count }, journal, read, isRotated }: Compared): LeaseCount {
  const end = first + count;
  const [passed] = journal?.passed ?? [];
  if (passed !== undefined)
    return finding(
      `its journal says that the meter had taken counters ${passed.first} to ${passed.next - 1}, of which this handheld knew nothing: it was put back to an older state, or somebody else has its keys`,
    );
  if (read === undefined)
    return isRotated
      ? { outcome: "untold", sentence: "its keys were changed before its counter was asked for" }
      : { outcome: "awaited", sentence: "its counter is asked for before its keys are changed" };
  const { counter, ours } = read;
  if (counter === undefined)
    return { outcome: "untold", sentence: "the meter showed nobody its counter, or nobody reached it" };
  if (counter >= ours)
    return finding(`it has taken counter ${counter}, and none above ${ours - 1} was ever given out here`);
  if (counter >= end)
    return {
      outcome: "untold",
      sentence: `others of ours have used counters above the lease's since, up to ${counter}`,
    };
  if (journal === undefined)
    return counter < first
      ? { outcome: "passed-over", sentence: "no journal came, and it has taken no counter of the lease" }
      : { outcome: "untold", sentence: `no journal came; it has taken counters of the lease up to ${counter}` };
  const { next } = journal;
  if (counter >= next && counter >= first)
    return finding(`it has taken counter ${counter}, and the journal ends at ${next - 1}`);
  if (counter === next - 1 || next === first) return { outcome: "agrees", sentence: "it shows what the journal says" };
  return {
    outcome: "passed-over",
    sentence: `it has taken counters up to ${counter}, the journal says ${next - 1}: some never reached it`,
  };
}

function finding(sentence: string): LeaseCount {
  return { outcome: "finding", sentence };
}

import type { LeaseCount } from "@meterkeep/api/custodian";

/** A session at a meter's local interface as its log tells of it, or an attempt, which has no end. Milliseconds since 1970 UTC. */
export interface LocalSession {
  /** Absent where the log tells of its end alone. */
  readonly from?: number;
  /** Absent where the log tells of its begin alone. */
  readonly until?: number;
}

/** What a meter's log told of the time of a lease, read under keys that the handheld never had. Times are ours, not the meter's. */
export interface LogRead {
  readonly lease: string;
  readonly meter: string;
  /** Absent where the meter gave no such log, or no time. */
  readonly sessions?: readonly LocalSession[];
  /** How far its clock was ahead when it was read, milliseconds. */
  readonly ahead?: number;
  /** The oldest row of its log of sessions; where more sessions were told of than are kept, the oldest that is. */
  readonly since?: number;
  /** Whether its clock was moved since the lease began, by more than is allowed for, or may have been: its times are not ours then. */
  readonly isMoved?: boolean;
  /** Rows that cannot be read, of that time as far as their neighbours say: a clock that is lost shows none. */
  readonly undated?: number;
  /** When the lent keys had gone: what it says of later is not of the lease. */
  readonly rotatedAt: number;
}

/** A visit as the handheld's journal tells of it. */
export interface Visit {
  readonly meter: string;
  /** By the handheld's clock, milliseconds since 1970 UTC. */
  readonly at: number;
  /** Over a device of the handheld's own, such as an optical probe, and done: the meter's log has to tell of it. */
  readonly isLocal?: boolean;
  /** It was over a network, where the meter sees somebody from afar, or it failed; absent where `isLocal`. */
  readonly how?: "network" | "failed";
}

/** The visits of a journal, as many as are kept. */
export interface Visits {
  readonly visits: readonly Visit[];
  /** Of meters of which there were more, by system title: from when on. */
  readonly cuts?: Readonly<Record<string, number>>;
}

/** What is compared. */
export interface LogCompared {
  readonly meter: string;
  readonly read: LogRead | undefined;
  /** Whether meters of its profile have a log that is known here, and somebody is still to read it. */
  readonly standing: "awaited" | "unknown" | "given-up";
  /** Absent where no journal came. */
  readonly journal: Visits | undefined;
  /** When the lease began, and when its handheld was lost, if it was. */
  readonly from: number;
  readonly lostAt: number | undefined;
}

/**
 * How far the times of a visit may lie apart: the handheld's clock, ours, and the meter's since its distance was measured. Whoever comes
 * within it of an honest visit is not seen by this.
 */
export const CLOCK_TOLERANCE_MILLISECONDS = 300_000;

/** Compares what a meter's own log tells of local sessions with the visits of a handheld's journal, both ways. */
export function localSessionsCompared(compared: LogCompared): LeaseCount {
  const { read, standing, journal, from, lostAt } = compared;
  if (read === undefined) return UNREAD[standing];
  const { sessions, isMoved = false, undated = 0, rotatedAt } = read;
  if (sessions === undefined) return untold("the meter gave no log of local sessions, or no time of its own");
  const own = sessions.filter((session) => beginOf(session) <= rotatedAt && endOf(session) >= from);
  const reach = reachOf(read, from);
  if (journal === undefined) {
    const after = lostAt === undefined ? [] : own.filter((session) => beginOf(session) > lostAt);
    if (after.length > 0 && !isMoved)
      return finding(`its log tells of ${list(after)}, after the handheld was reported lost`);
    return untold(
      own.length === 0
        ? `no journal came, and its log tells of no local session${reach}`
        : `no journal came; its log tells of ${list(own)}${reach}`,
    );
  }
  const visits = journal.visits.filter(({ meter }) => meter === compared.meter);
  const unexplained = own.filter((session) => !visits.some((visit) => isAt(session, visit)));
  const doubtful = own.filter(
    (session) =>
      !unexplained.includes(session) && !visits.some((visit) => isAt(session, visit) && explains(visit, session)),
  );
  const unlogged = visits.filter(
    (visit) => visit.isLocal === true && !sessions.some((session) => isAt(session, visit)),
  );
  const found = [
    ...(unexplained.length === 0 ? [] : [`its log tells of ${list(unexplained)}, of which the journal does not`]),
    ...(unlogged.length === 0
      ? []
      : [`the journal tells of a visit at ${times(unlogged.map(({ at }) => at))}, of which its log does not`]),
  ].join("; ");
  if (isMoved)
    return untold(
      `${found === "" ? "what it tells agrees with the journal" : found}; its clock was moved meanwhile, or it does not say that it was not, so that its times say little`,
    );
  if (found === "" && doubtful.length > 0)
    return untold(
      `its log tells of ${list(doubtful)}, the journal then of a visit over a network, or of one that failed${reach}`,
    );
  if (found === "" && undated > 0)
    return untold(`what can be read of its log agrees with the journal; ${undated} of its rows cannot be read`);
  if (found === "" && reach !== "") return untold(`what is left of its log agrees with the journal${reach}`);
  if (found === "")
    return {
      outcome: "agrees",
      sentence:
        own.length === 0
          ? "its log tells of no local session"
          : `its log tells of ${list(own)}, the journal of visits then`,
    };
  const cutAt = journal.cuts?.[compared.meter] ?? Number.POSITIVE_INFINITY;
  const isCut = (session: LocalSession) => endOf(session) + CLOCK_TOLERANCE_MILLISECONDS >= cutAt;
  const certain = unexplained.filter((session) => !isCut(session));
  if (certain.length === 0 && unlogged.length === 0)
    return untold(`${found}; the journal has more visits than are kept`);
  // A log that no longer has the time of a visit does not say that there was none.
  const isLost =
    certain.length === 0 && unlogged.every(({ at }) => (read.since ?? from) > at - CLOCK_TOLERANCE_MILLISECONDS);
  if (isLost) return untold(`${found}${reach}`);
  // A visit may be in a row whose time cannot be read; a session whose time can is one without a visit all the same.
  return certain.length === 0 && undated > 0
    ? untold(`${found}; ${undated} of its rows cannot be read`)
    : finding(found);
}

const UNREAD: Readonly<Record<LogCompared["standing"], LeaseCount>> = {
  awaited: { outcome: "awaited", sentence: "its log is read as soon as its new keys are proven" },
  unknown: untold("no log of local sessions is known of meters of its kind"),
  "given-up": untold("its log was not read in time: nobody reached it, or brought its answers"),
};

/** Whether a visit was at the begin or the end of a session: a technician may have set the clock in between. */
function isAt({ from, until }: LocalSession, { at }: Visit): boolean {
  return [from, until].some((time) => time !== undefined && Math.abs(time - at) <= CLOCK_TOLERANCE_MILLISECONDS);
}

/** Whether a visit then is all that there is to say of it: who came over a network was not on the spot, and who failed left no session. */
function explains({ how }: Visit, { until }: LocalSession): boolean {
  return how === undefined || (how === "failed" && until === undefined);
}

/** When a session began, as far as its log tells. */
export function beginOf({ from, until }: LocalSession): number {
  return from ?? until ?? 0;
}

function endOf({ from, until }: LocalSession): number {
  return until ?? from ?? 0;
}

function reachOf({ since }: LogRead, from: number): string {
  if (since !== undefined && since <= from) return "";
  return since === undefined ? "; its log is empty" : `; its log goes back to ${instant(since)} only`;
}

function list(sessions: readonly LocalSession[]): string {
  return `${sessions.length === 1 ? "a local session" : `${sessions.length} local sessions`} at ${times(sessions.map(beginOf))}`;
}

/** Sentences are short, and a log may have been filled on purpose. */
function times(all: readonly number[]): string {
  const named = all.slice(0, 3).map(instant).join(", ");
  return all.length > 3 ? `${named} and ${all.length - 3} more` : named;
}

function instant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

function finding(sentence: string): LeaseCount {
  return { outcome: "finding", sentence };
}

function untold(sentence: string): LeaseCount {
  return { outcome: "untold", sentence };
}

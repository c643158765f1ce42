import { apdu, concatBytes, type Data, data, dateTimeOctets, decode, encode, instantOf } from "@meterkeep/dlms";
import type { LocalLogs } from "../protocol/meter-facts.ts";
import { readable } from "../protocol/readable.ts";
import { type AttributeName, getRequest } from "../protocol/requests.ts";
import { beginOf, CLOCK_TOLERANCE_MILLISECONDS, type LocalSession, type LogRead } from "./local-sessions.ts";

const CLOCK: AttributeName = { classId: 8, logicalName: "0.0.1.0.0.255", attributeId: 2 };
const PROFILE = { classId: 7, buffer: 2 } as const;
const INVOKE = { invokeId: 1, confirmed: true, highPriority: true } as const;
const CLOCK_OCTETS = 12;
/** Meters keep ten to some hundred rows of each log. */
const MOST_OCTETS = 65_536;
/** Of each answer: each block is asked for with a counter of ours, and no meter sends less than 64 octets in one. */
const MOST_BLOCKS = MOST_OCTETS / 64;
/** Sessions that an entry of the ledger keeps: more are the end of somebody's patience, or a log that was filled on purpose. */
const MOST_SESSIONS = 200;
/** The meter's time is believed to half of what its answer took: whoever carries it must not make more of it. */
const MOST_CLOCK_MILLISECONDS = 60_000;

/** One row of a log: a time, and the code. */
interface Row {
  readonly at: number;
  readonly code: number;
}

/** A log by the meter's time, oldest first. */
interface Log {
  readonly rows: readonly Row[];
  /** Rows that cannot be read: after which and before which of the others they stand. */
  readonly undated: readonly { readonly after: number; readonly before: number; readonly code: unknown }[];
}

/** What a meter's logs tell of its local interface, for a time. */
export type LocalLogFacts = Pick<LogRead, "sessions" | "ahead" | "since" | "isMoved" | "undated">;

/**
 * The questions to a meter for its time and its logs, one after the other, each answered whole or in blocks, and what came of them. The
 * logs are asked for whole: a range would be of the meter's time, which may have been moved.
 */
export class LogQuestions {
  readonly #logs: LocalLogs;
  readonly #names: readonly AttributeName[];
  readonly #values: (Data | undefined)[] = [];
  #parts: Uint8Array[] = [];
  #octets = 0;
  #blocks = 0;
  #askedAt = 0;
  #ahead: number | undefined;

  constructor(logs: LocalLogs) {
    const names = [logs.sessions, logs.attempts, logs.clockMoves].map(({ logicalName }) => logicalName);
    this.#logs = logs;
    this.#names = [
      CLOCK,
      ...names.map((logicalName) => ({ classId: PROFILE.classId, logicalName, attributeId: PROFILE.buffer })),
    ];
  }

  /** The next request, plain; undefined at the end. */
  next(now: number): Uint8Array | undefined {
    if (this.#blocks > 0)
      return encode(apdu, {
        kind: "get-request",
        value: { kind: "next", value: { invokeIdAndPriority: INVOKE, blockNumber: this.#blocks } },
      });
    // Not again for its blocks: what is in the first may have been carried for long by the last.
    this.#askedAt = now;
    const name = this.#names[this.#values.length];
    return name === undefined ? undefined : getRequest(name);
  }

  /** Takes the plain answer to what was asked. @returns false where it is none, or came too late. */
  take(plain: Uint8Array, now: number): boolean {
    const answer = readable(() => decode(apdu, plain, { trailing: "ignore" }));
    if (answer?.kind !== "get-response") return false;
    const { value } = answer;
    if (value.kind === "normal" && this.#blocks === 0) {
      const { result } = value.value;
      return this.#answered(result.kind === "data" ? result.value : undefined, now);
    }
    if (value.kind !== "with-datablock") return false;
    const { lastBlock, blockNumber, result } = value.value.block;
    if (result.kind === "data-access-result") return this.#answered(undefined, now);
    this.#octets += result.value.length;
    const isNext = blockNumber === this.#blocks + 1 && (lastBlock || result.value.length > 0);
    if (!isNext || blockNumber > MOST_BLOCKS || this.#octets > MOST_OCTETS) return false;
    this.#parts.push(result.value);
    this.#blocks = blockNumber;
    if (!lastBlock) return true;
    const whole = concatBytes(...this.#parts);
    return this.#answered(
      readable(() => decode(data, whole, { trailing: "ignore" })),
      now,
    );
  }

  /** What came of them all, of the time of a lease: from its begin until its keys had gone. */
  facts(from: number, until: number): LocalLogFacts {
    const [, sessionLog, attemptLog, moveLog] = this.#values.map(logOf);
    const ahead = this.#ahead;
    if (ahead === undefined || sessionLog === undefined) return {};
    const { started, ended } = this.#logs.sessions;
    const { old, moved } = this.#logs.clockMoves;
    const [sessions, attempts, moves] = [sessionLog.rows, attemptLog?.rows, moveLog?.rows];
    const undatedOf = (log: Log | undefined, ...codes: readonly number[]): number => {
      const isMeant = ({ after, before, code }: Log["undated"][number]) =>
        (typeof code !== "number" || codes.includes(code)) &&
        before - ahead >= from - CLOCK_TOLERANCE_MILLISECONDS &&
        after - ahead <= until + CLOCK_TOLERANCE_MILLISECONDS;
      return log?.undated.filter(isMeant).length ?? 0;
    };
    const undated = undatedOf(sessionLog, started, ended) + undatedOf(attemptLog, this.#logs.attempts.attempted);
    const ours = (rows: readonly Row[] = []): readonly Row[] => rows.map(({ at, code }) => ({ at: at - ahead, code }));
    const all = [
      ...paired(ours(sessions), started, ended),
      ...ours(attempts).flatMap(({ at, code }) => (code === this.#logs.attempts.attempted ? [{ from: at }] : [])),
    ];
    const within = all
      .filter((session) => isWithin(session, from, until))
      .sort((one, other) => beginOf(one) - beginOf(other));
    const kept = within.slice(-MOST_SESSIONS);
    // What is not kept is as what the meter has no more: whoever fills a log must not make it agree.
    const oldest = kept.length < within.length ? beginOf(kept[0] as LocalSession) : ours(sessions)[0]?.at;
    return {
      ahead,
      sessions: kept,
      ...(oldest !== undefined && { since: oldest }),
      isMoved:
        moves === undefined || undatedOf(moveLog, old, moved) > 0 || wasMoved(ours(moves), this.#logs.clockMoves, from),
      ...(undated > 0 && { undated }),
    };
  }

  #answered(value: Data | undefined, now: number): boolean {
    if (this.#values.length === 0) {
      const took = now - this.#askedAt;
      if (took > MOST_CLOCK_MILLISECONDS) return false;
      const at = momentOf(value);
      if (at !== undefined) this.#ahead = Math.round(at - (this.#askedAt + took / 2));
    }
    this.#values.push(value);
    this.#parts = [];
    this.#octets = 0;
    this.#blocks = 0;
    return true;
  }
}

/** Sessions of a log, oldest first: a begin and the end right behind it are one. */
function paired(rows: readonly Row[], started: number, ended: number): readonly LocalSession[] {
  const sessions: LocalSession[] = [];
  for (const { at, code } of rows) {
    const last = sessions.at(-1);
    if (code === started) sessions.push({ from: at });
    else if (code === ended && last?.from !== undefined && last.until === undefined)
      sessions[sessions.length - 1] = { ...last, until: at };
    else if (code === ended) sessions.push({ until: at });
  }
  return sessions;
}

/** Whether the clock was moved by more than is allowed for, since then by either of its times. Half a move is any. */
function wasMoved(rows: readonly Row[], { old, moved }: LocalLogs["clockMoves"], since: number): boolean {
  const moves = rows.filter(({ code }) => code === old || code === moved);
  return moves.some(({ at, code }, nth) => {
    const other = code === old ? moves[nth + 1] : moves[nth - 1];
    if (other?.code !== (code === old ? moved : old)) return at >= since;
    return Math.max(at, other.at) >= since && Math.abs(at - other.at) > CLOCK_TOLERANCE_MILLISECONDS;
  });
}

function isWithin({ from, until }: LocalSession, first: number, last: number): boolean {
  const [begin = 0, end = begin] = [from ?? until, until ?? from];
  return end >= first - CLOCK_TOLERANCE_MILLISECONDS && begin <= last + CLOCK_TOLERANCE_MILLISECONDS;
}

/** The rows of a log, oldest first: some meters give the newest first. Undefined where there is no log. */
function logOf(value: Data | undefined): Log | undefined {
  if (value?.type !== "array") return undefined;
  const last: { at?: number | undefined; code?: unknown } = {};
  const all = (value.value as readonly Data[]).map(
    (row): { readonly at: number | undefined; readonly code: unknown } => {
      const [clock, code] = row.type === "structure" ? (row.value as readonly Data[]) : [];
      // In a profile null-data stands for what the row sent before it has.
      if (clock?.type !== "null-data") last.at = momentOf(clock);
      if (code?.type !== "null-data") last.code = code?.value;
      return { at: last.at, code: last.code };
    },
  );
  const isRow = (row: (typeof all)[number]): row is Row => row.at !== undefined && typeof row.code === "number";
  const rows = all.filter(isRow);
  if ((rows[0]?.at ?? 0) > (rows.at(-1)?.at ?? 0)) for (const list of [all, rows]) list.reverse();
  const undated: Log["undated"][number][] = [];
  let nth = 0;
  // One walk beside the rows that can be read: of a log that has none but others each would look for them to its end.
  for (const row of all) {
    if (row === rows[nth]) nth += 1;
    else
      undated.push({
        code: row.code,
        after: rows[nth - 1]?.at ?? Number.NEGATIVE_INFINITY,
        before: rows[nth]?.at ?? Number.POSITIVE_INFINITY,
      });
  }
  return { rows, undated };
}

/** The moment of a date-time that says how far it is from UTC. */
function momentOf(value: Data | undefined): number | undefined {
  if (value?.type === "date-time") return instantOf(value.value);
  const octets = value?.type === "octet-string" ? (value.value as Uint8Array) : undefined;
  if (octets?.length !== CLOCK_OCTETS) return undefined;
  return readable(() => instantOf(decode(dateTimeOctets, octets)));
}

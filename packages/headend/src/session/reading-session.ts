import { randomUUID } from "node:crypto";
import type { SessionPurpose, SupplyState } from "@meterkeep/api";
import { openSession, type Session } from "@meterkeep/dlms";
import { codeOf } from "../errors.ts";
import type { Meter } from "../inventory/meter.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { intervalCount, type Stretch } from "../reading/coverage.ts";
import type { ReadResult } from "../reading/result.ts";
import { counted } from "../reading/words.ts";
import type { Route } from "../route/route.ts";
import { type ClockCheck, checkClock } from "../time/clock-check.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { Collected } from "./collected.ts";
import { CustodianAssociator, type ProtectionRecord, provingLine } from "./custodian-associator.ts";
import { dayValuesQuestion } from "./day-values.ts";
import { eventsQuestion, type Window } from "./event-reader.ts";
import type { LadderEntry, SessionRecord } from "./ladder.ts";
import type { Dial } from "./line.ts";
import { MeterReader, type RegisterSnapshot } from "./meter-reader.ts";
import { objectListQuestion } from "./object-list.ts";
import { portions, ROWS_A_REQUEST, readBuffer, readRows } from "./profile-rows.ts";
import { destinationsQuestion, type PushDestinationRecord, pushSetUpsOf } from "./push-set-ups.ts";
import { readQualityGaps } from "./quality-reader.ts";
import { ask, type Question } from "./question.ts";
import { ratiosQuestion } from "./ratios-question.ts";
import { type Scale, type ScalerTable, scaledValue } from "./scaler-table.ts";
import type { SessionCustodian } from "./session-custodian.ts";
import { SessionEnd } from "./session-end.ts";
import { outcomeOf } from "./session-outcome.ts";
import { SessionRecorder } from "./session-recorder.ts";

export interface ReadingPorts {
  readonly custodian: SessionCustodian;
  readonly dial: Dial;
  readonly scalers: ScalerTable;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

/** What is to be read of which meter. */
export interface ReadingOrder {
  readonly meter: Meter;
  readonly route: Route;
  readonly profile: MeterProfile;
  readonly clock: SourceClock;
  readonly purpose: Extract<SessionPurpose, "read" | "verify">;
  /** Somebody waits for it. */
  readonly isAwaited: boolean;
  /** Stretches of the load profile that are missing. */
  readonly gaps: readonly Stretch[];
  /** The same of its power quality. */
  readonly qualityGaps?: readonly Stretch[];
  /** Where it is to be looked where its push set-ups point to: those that its list had, and whether to ask for the list anew. */
  readonly pushSetUps?: { readonly listed: readonly string[]; readonly asksForList: boolean };
  /** From when on its event logs are to be read, milliseconds since 1970 UTC at the source; `whole` for all that they hold; absent: not now. */
  readonly eventsFrom?: number | "whole";
  /** From when on the registers at the ends of days are to be read, at the source; absent: not now. */
  readonly daysFrom?: number;
}

/** How it went. What was read before something failed is kept. */
export interface ReadingOutcome {
  readonly session: SessionRecord;
  readonly read: ReadResult;
  /** Where its push set-ups point to, where that was looked at. */
  readonly destinations: readonly PushDestinationRecord[];
  /** Undefined when all went well. */
  readonly error: unknown;
}

/** A clock that is ahead still has its events read. */
const CLOCK_ALLOWANCE_MS = 3_600_000;

/** Reads a meter in one session: clock, relay, registers, and of the load profile only what is missing. */
export async function holdReadingSession(
  ports: ReadingPorts,
  order: ReadingOrder,
  signal: AbortSignal,
): Promise<ReadingOutcome> {
  const startedAt = ports.now();
  const grades: ProtectionRecord = new WeakMap();
  const recorder = new SessionRecorder(grades, ports.now);
  const collected = new Collected(order.profile);
  let error: unknown;
  try {
    const { systemTitle: meter } = order.meter;
    const asked = { meter, purpose: "read", awaited: order.isAwaited } as const;
    const opened = await ports.custodian.openSession(asked);
    const end = new SessionEnd(ports.custodian, asked, opened);
    try {
      await using line = await ports.dial(order.route, opened, signal);
      // Released at the end; a meter that refuses that has given its readings all the same.
      await using session = await openSession({
        exchange: line.exchange,
        associator: new CustodianAssociator(ports.custodian, opened, end, provingLine(line, grades)),
        signal,
        onExchange: recorder.observe,
      });
      await end.during(converse(ports, order, session, recorder, collected));
    } catch (cause) {
      error = cause;
      end.failed(cause);
    }
    await end.close();
  } catch (cause) {
    error ??= cause;
  }
  const read = collected.result();
  const session = recordOf(order, startedAt, ports.now(), recorder.ladder, read, collected.clock, error);
  return { session, read, destinations: collected.destinations, error };
}

async function converse(
  ports: ReadingPorts,
  order: ReadingOrder,
  session: Session,
  recorder: SessionRecorder,
  collected: Collected,
): Promise<void> {
  const reader = new MeterReader(session, order.meter, order.profile, ports.scalers);
  await reader.learnScales(scaledObjects(order));
  const { now, later } = questionsOf(ports, order, reader, collected);
  // What a meter is asked for every day is one request; where it takes no lists, what was answered is kept when the line breaks.
  if (order.profile.lists) await ask(session, recorder, now);
  else for (const question of now) await ask(session, recorder, [question]);
  for (const question of later) await ask(session, recorder, [question]);
  await askListed(ports, order, session, recorder, collected);
  if (needsWholeLogs(order, collected)) await ask(session, recorder, [eventsOf(order, collected, "whole")]);
  for (const stretch of collected.refused.splice(0)) await readAlone(order, reader, recorder, collected, stretch);
  if (order.purpose === "read" && order.gaps.length > 0 && order.profile.loadProfile.access === "entry")
    await readNewest(order, reader, recorder, collected);
  const source = { session, reader, profile: order.profile, recorder };
  await readQualityGaps(source, order.qualityGaps ?? [], (asked, rows) => collected.takeQuality(rows, asked));
}

/** All whose unit has to be known to understand the answers. */
function scaledObjects({ purpose, profile, gaps, daysFrom }: ReadingOrder): readonly string[] {
  const columns = [
    ...(purpose === "read" && gaps.length > 0 ? profile.loadProfile.columns : []),
    ...(daysFrom === undefined ? [] : profile.daily.columns),
  ];
  const captured = columns.flatMap((column) => (typeof column === "string" ? [] : [column.obis]));
  return [...new Set([...(purpose === "verify" ? [] : profile.registers), ...captured])];
}

/** What is asked at once, and what is too long for that and comes after it. */
function questionsOf(
  ports: ReadingPorts,
  order: ReadingOrder,
  reader: MeterReader,
  collected: Collected,
): { readonly now: readonly Question[]; readonly later: readonly Question[] } {
  const { profile, purpose, eventsFrom, daysFrom, pushSetUps } = order;
  const scaleOf = (obis: string): Scale => reader.scale(obis);
  const [now, later]: [Question[], Question[]] = [[registersQuestion(ports, order, reader, collected)], []];
  if (purpose === "read" && profile.loadProfile.access === "range") {
    let rows = 0;
    for (const stretch of order.gaps.flatMap((gap) => portions(gap, profile.loadProfile.periodSeconds))) {
      rows += intervalCount([stretch], profile.loadProfile.periodSeconds);
      (rows <= ROWS_A_REQUEST ? now : later).push(rowsQuestion(order, reader, collected, stretch));
    }
  }
  const to = order.clock.atSource(ports.now()) + CLOCK_ALLOWANCE_MS;
  if (eventsFrom !== undefined)
    now.push(eventsOf(order, collected, eventsFrom === "whole" ? "whole" : { from: eventsFrom, to }));
  if (daysFrom !== undefined)
    now.push(
      dayValuesQuestion(profile, { from: daysFrom, to }, scaleOf, (values) => {
        collected.registers.push(...values);
        for (const { at } of values) collected.daysTo = Math.max(collected.daysTo ?? at, at);
      }),
    );
  if (pushSetUps !== undefined) now.push(destinationsOf(collected, pushSetUpsOf(profile, pushSetUps.listed)));
  // Long, and seldom: by itself.
  if (pushSetUps?.asksForList === true)
    later.push(
      objectListQuestion(profile, (listed) => {
        collected.listed = listed;
      }),
    );
  return { now, later };
}

function destinationsOf(collected: Collected, setUps: readonly string[]): Question {
  return destinationsQuestion(setUps, (destinations) => {
    collected.destinations.push(...destinations);
  });
}

/** The meter's list may name push set-ups that nobody has asked for yet, and says what instrument transformers it is behind. */
async function askListed(
  ports: ReadingPorts,
  order: ReadingOrder,
  session: Session,
  recorder: SessionRecorder,
  collected: Collected,
): Promise<void> {
  const { profile, pushSetUps, clock } = order;
  if (pushSetUps === undefined || collected.listed === undefined) return;
  const asked = new Set(pushSetUpsOf(profile, pushSetUps.listed));
  const unknown = collected.listed.pushSetUps.filter((obis) => !asked.has(obis));
  if (unknown.length > 0) await ask(session, recorder, [destinationsOf(collected, unknown)]);
  const ratios = ratiosQuestion(collected.listed.ratios, (values, evidence) => {
    const at = collected.clockShown ?? clock.atSource(ports.now());
    for (const { obis, value } of values) collected.registers.push({ obis, value, unit: undefined, at, evidence });
  });
  await ask(session, recorder, [ratios]);
}

function eventsOf({ profile }: ReadingOrder, collected: Collected, window: Window | "whole"): Question {
  return eventsQuestion(profile, window, profile.eventLogs, (events) => {
    collected.events = events;
  });
}

/**
 * Whether a window of time is not enough to find what a log says: the meter's clock is elsewhere, or was within the window
 * and lines may bear any time.
 */
function needsWholeLogs({ eventsFrom }: ReadingOrder, { events, clock }: Collected): boolean {
  if (events === undefined || eventsFrom === undefined || eventsFrom === "whole") return false;
  return clock === undefined || clock.verdict === "incident" || events.some(({ category }) => category === "clock");
}

function registersQuestion(
  ports: ReadingPorts,
  order: ReadingOrder,
  reader: MeterReader,
  collected: Collected,
): Question {
  const sent = ports.now();
  return reader.snapshotQuestion(order.purpose === "verify" ? [] : order.profile.registers, (snapshot, evidence) => {
    const received = ports.now();
    const at = snapshot.clock ?? order.clock.atSource(received);
    if (snapshot.clock !== undefined) {
      collected.clock = checkClock(snapshot.clock, order.clock.atSource(sent), order.clock.atSource(received));
      collected.clockShown = snapshot.clock;
    }
    collected.supply = supplyOf(snapshot);
    for (const { obis, count } of snapshot.values) {
      const scale = reader.scale(obis);
      const unit = scale.unit === "" ? undefined : scale.unit;
      collected.registers.push({ obis, value: scaledValue(count, scale), unit, at, evidence });
    }
    if (collected.supply !== undefined) {
      const obis = order.profile.disconnectControl;
      collected.registers.push({ obis, value: collected.supply, unit: undefined, at, evidence });
    }
  });
}

function supplyOf({ supplied }: RegisterSnapshot): SupplyState | undefined {
  if (supplied === undefined) return undefined;
  return supplied ? "connected" : "disconnected";
}

function rowsQuestion(order: ReadingOrder, reader: MeterReader, collected: Collected, stretch: Stretch): Question {
  // From just behind the start: the row that ends there is known.
  return reader.rowsQuestion(stretch.from + 1000, stretch.to, (buffer, evidence) => {
    if (buffer === undefined) collected.refused.push(stretch);
    else
      collected.take(
        readBuffer(buffer, order.profile.loadProfile, order.profile.timeZone, (obis) => reader.scale(obis), evidence),
        stretch,
      );
  });
}

/** Some meters give a part of a profile only by itself; one that does not give it at all says why. */
async function readAlone(
  order: ReadingOrder,
  reader: MeterReader,
  recorder: SessionRecorder,
  collected: Collected,
  stretch: Stretch,
): Promise<void> {
  recorder.begin();
  const rows = await reader.rowsInRange(stretch.from + 1000, stretch.to);
  const read = readRows(
    rows,
    order.profile.loadProfile,
    order.profile.timeZone,
    (obis) => reader.scale(obis),
    recorder.evidence(),
  );
  collected.take(read, stretch);
}

/**
 * Entries are counted from the oldest row, and an outage leaves none: so many of the newest as there are intervals since
 * the first gap contain all that is missing, and no more than needed unless rows are absent.
 */
async function readNewest(
  order: ReadingOrder,
  reader: MeterReader,
  recorder: SessionRecorder,
  collected: Collected,
): Promise<void> {
  const { periodSeconds } = order.profile.loadProfile;
  const from = order.gaps[0]?.from ?? 0;
  const to = order.gaps.at(-1)?.to ?? 0;
  const nowAtSource = order.clock.atSource(recorder.now());
  recorder.begin();
  const wanted = intervalCount([{ from, to: Math.max(to, nowAtSource) }], periodSeconds);
  const { rows, fromOldest } = await reader.newestRows(wanted);
  const read = readRows(
    rows,
    order.profile.loadProfile,
    order.profile.timeZone,
    (obis) => reader.scale(obis),
    recorder.evidence(),
  );
  const first = read[0]?.at;
  // A row may have been captured between the two requests and moved all others by one: what is before the first row
  // that came is only known to be absent when the first one was asked for.
  const knownFrom = fromOldest || first === undefined ? from : Math.max(from, first - periodSeconds * 1000);
  collected.take(
    read.filter((row) => row.at > from && row.at <= to),
    { from: knownFrom, to },
  );
}

function recordOf(
  order: ReadingOrder,
  startedAt: number,
  endedAt: number,
  ladder: readonly LadderEntry[],
  read: ReadResult,
  clock: ClockCheck | undefined,
  error: unknown,
): SessionRecord {
  return {
    id: randomUUID(),
    purpose: order.purpose,
    outcome: outcomeOf(error),
    ...(error === undefined ? {} : { code: codeOf(error) }),
    sentence: sentenceOf(order, read, error) + clockWords(clock),
    startedAt,
    endedAt,
    ladder,
  };
}

function sentenceOf(order: ReadingOrder, read: ReadResult, error: unknown): string {
  const rows = new Set(read.intervals.map((interval) => interval.at)).size;
  const values = `${counted(read.registers.length, "value")} and ${counted(rows, "interval")}`;
  const what = order.purpose === "verify" ? "Supply read back" : `${values} read`;
  if (error === undefined) return `${what}.`;
  const why = error instanceof Error ? error.message : "it ended without a reason";
  return read.registers.length === 0 ? `Nothing read: ${why}` : `${what}, then: ${why}`;
}

/** A clock that is right needs no words. */
function clockWords(clock: ClockCheck | undefined): string {
  return clock === undefined || clock.verdict === "in-time" ? "" : ` ${clock.sentence}.`;
}

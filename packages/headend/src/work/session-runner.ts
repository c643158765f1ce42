import type { EventData } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import type { Ledger } from "@meterkeep/ledger";
import type { CommandSessions } from "../campaign/command-sessions.ts";
import type { Scope } from "../database/scope.ts";
import { codeOf, HeadEndError } from "../errors.ts";
import type { EventSink } from "../event/event-hub.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { nextIntervalAt } from "../reading/coverage.ts";
import { dayOf } from "../reading/day/day-row.ts";
import { type Collecting, SETTLE_SECONDS, stepSeconds } from "../reading/gaps.ts";
import type { ReadResult } from "../reading/result.ts";
import type { DestinationWatch } from "../route/destination-watch.ts";
import type { Moves } from "../route/moves.ts";
import { routeText } from "../route/route.ts";
import { sparedUntil } from "../route/sim-traffic.ts";
import { octetCounts, type SessionRecord } from "../session/ladder.ts";
import type { Dial, SessionLimits } from "../session/line.ts";
import { holdReadingSession, type ReadingOrder, type ReadingOutcome } from "../session/reading-session.ts";
import type { ScalerTable } from "../session/scaler-table.ts";
import { type ContactResult, carryContact } from "../takeover/contact.ts";
import { contactRecord } from "../takeover/contact-record.ts";
import { carryRotation } from "../takeover/rotation.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { judgeTrust, RECORD_REFUSED } from "../trust/trust.ts";
import { trustEvent, trustLine } from "../trust/trust-event.ts";
import { changeOf, trustDraft } from "../trust/trust-record.ts";
import { backoffSeconds } from "./backoff.ts";
import { type CustodianRoom, isWithoutRoom, type Round } from "./custodian-room.ts";
import { deadline } from "./deadline.ts";
import { type Finished, putBack } from "./finish.ts";
import { type Due, LANES, type Lease, type NextDue } from "./lease.ts";
import type { Results } from "./results.ts";
import type { Throttle } from "./throttle.ts";

export interface SessionRunnerPorts {
  readonly custodian: Pick<
    Custodian,
    | "nextContact"
    | "advanceContact"
    | "openSession"
    | "advanceSession"
    | "seal"
    | "open"
    | "closeSession"
    | "rotationStates"
    | "enrolmentStates"
  >;
  readonly dial: Dial;
  readonly scalers: ScalerTable;
  readonly commands: Pick<CommandSessions, "hold">;
  readonly results: Pick<Results, "write">;
  readonly throttle: Pick<Throttle, "admit" | "learn">;
  /** What the custodian has room for, which the sessions held here find out. */
  readonly room: Pick<CustodianRoom, "begin" | "granted" | "refused" | "ended">;
  readonly watch: Pick<DestinationWatch, "pushSetUp" | "refused">;
  readonly moves: Pick<Moves, "tried">;
  readonly ledger: Pick<Ledger, "append">;
  readonly scope: Scope;
  readonly events: EventSink;
  clockOf(kind: Meter["kind"]): SourceClock;
  now(): number;
  /** Resolves after so many milliseconds, at once when `signal` aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** In [0, 1), for jitter. */
  random(): number;
  onChange(meters: readonly MeterId[]): void;
  /** The custodian may have another word of a meter than before: it refused what it has written down, has rotated its keys, or says that it has left. */
  onOtherWord(meter: Meter): void;
  /** A session has ended and is stored. */
  onSession(meter: Meter, session: SessionRecord, read: ReadResult | undefined): void;
}

export interface SessionRunnerOptions {
  readonly limits: SessionLimits;
  readonly collecting: Pick<Collecting, "everySeconds">;
}

/** Who must wait no longer than this for its turn keeps its place: putting a lease back costs a statement. */
const PATIENCE_MILLISECONDS = 500;
/** How often a meter is asked for its object list: a push set-up that was not there before comes with other firmware. */
const LIST_EVERY_MILLISECONDS = 30 * DAY_MILLISECONDS;
const NOT_AUTHENTIC = "meter-not-authentic";
/** The custodian's word for a meter that was retired, transferred or returned. */
const METER_LEFT = "meter-left";
/** A meter that nobody can read looks again after this long. */
const HOPELESS_SECONDS = 3_600;
/** Of a meter that has given no registers of days' ends yet. */
const FIRST_DAYS = 2;
/** Some meters take their time to store the registers at the end of a day; one that has not by then does at the next. */
const LATE_DAY_MILLISECONDS = 3 * 3_600_000;
/** Meters of one profile end their intervals together; reads are spread over this much of the time between two. */
const SPREAD = 0.3;

/** Holds the session that a lease calls for, takes over or reads, and writes what it brought. */
export class SessionRunner {
  readonly #ports: SessionRunnerPorts;
  readonly #options: SessionRunnerOptions;

  constructor(ports: SessionRunnerPorts, options: SessionRunnerOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /**
   * Ends the lease in any case; rejects only when the results cannot be written. @returns when the meter is due again, in which lane.
   */
  async run(lease: Lease, closing: AbortSignal): Promise<Due> {
    const { throttle, room, results, now, sleep } = this.#ports;
    if (isSpared(lease)) {
      const dueAt = sparedUntil(now(), this.#ports.random());
      const next = { dueAt, lane: LANES.reading, attempts: lease.attempts, code: "sim-budget" } as const;
      return results.write({ lease, next });
    }
    const turnAt = throttle.admit(lease.meter, isUrgent(lease), now());
    if (turnAt > now() + PATIENCE_MILLISECONDS) return results.write(this.#postponed(lease, turnAt));
    if (turnAt > now()) await sleep(turnAt - now(), closing);
    const round = room.begin();
    const held = await this.#holdInTime(lease, closing);
    const finished = this.#left(this.#refused(this.#learnRoom(held, round)));
    room.ended();
    if (finished.session !== undefined)
      throttle.learn(lease.meter, finished.session.outcome === "lost" ? "silent" : "answered");
    // Before its lease ends: the next session goes where this one has shown the meter to be.
    if (finished.session !== undefined) await this.#ports.moves.tried(lease.meter, finished.session.outcome === "done");
    await this.#tellWatch(finished);
    await this.#record(finished);
    const due = await results.write(finished);
    this.#tell(finished);
    const wasRefused = lease.trust.reason === RECORD_REFUSED.reason;
    // A rotation under a master that was agreed on makes more of the takeover before it.
    const isRotated = finished.session?.purpose === "rotate";
    const isAnother = (wasRefused || isRotated) && finished.session?.outcome === "done";
    if ((isAnother && finished.takeover === undefined) || finished.next.code === METER_LEFT)
      this.#ports.onOtherWord(lease.meter);
    return due;
  }

  /** What the custodian had no room for is put back; a command only where nothing of it may have been sent. */
  #learnRoom(held: Finished, round: Round): Finished {
    const { room, now } = this.#ports;
    const { session, command, next } = held;
    if (isWithoutRoom(next.code ?? session?.code)) {
      const dueAt = room.refused(round, now());
      return next.code !== undefined || command?.state === "dispatched" ? putBack(held, dueAt) : held;
    }
    if (session !== undefined) room.granted(round);
    return held;
  }

  /** A meter that is in service has the right keys: what came over a concentrator and does not fit them was changed there. */
  async #tellWatch({ lease: { meter, takeover }, session }: Finished): Promise<void> {
    if (session?.code !== NOT_AUTHENTIC || takeover.phase !== "done" || meter.route?.kind !== "concentrator") return;
    await this.#ports.watch.refused(meter, routeText(meter.route), NOT_AUTHENTIC);
  }

  async #holdInTime(lease: Lease, closing: AbortSignal): Promise<Finished> {
    using end = deadline(closing, this.#options.limits.totalSeconds * 1000);
    try {
      return await this.#hold(lease, end.signal);
    } catch (error) {
      return this.#failed(lease, error);
    }
  }

  #hold(lease: Lease, signal: AbortSignal): Promise<Finished> {
    const { takeover } = lease;
    if (takeover.phase === "not-applicable" || takeover.phase === "left") return Promise.resolve(this.#nothing(lease));
    if (takeover.phase !== "done")
      return isOnBench(lease) ? Promise.resolve(this.#nothing(lease)) : this.#takeOver(lease, signal);
    if (lease.onDemand === "command") return this.#command(lease, signal);
    return lease.onDemand === "rotate" ? this.#rotate(lease, signal) : this.#read(lease, signal);
  }

  /** What was due may have been stopped meanwhile: then the meter is just read. */
  async #command(lease: Lease, signal: AbortSignal): Promise<Finished> {
    const held = await this.#ports.commands.hold(lease, signal);
    if (held === undefined) return this.#read(lease, signal);
    const { attempts } = lease;
    return { lease, ...held, next: { dueAt: this.#ports.now(), lane: LANES.reading, attempts } };
  }

  /** Whatever came of it, a reading follows: under new keys it shows that they work. */
  async #rotate(lease: Lease, signal: AbortSignal): Promise<Finished> {
    const { meter } = lease;
    const { custodian, dial, now } = this.#ports;
    const { systemTitle } = meter;
    const session = await carryRotation({ custodian, dial, now }, { systemTitle, route: routeOf(meter) }, signal);
    return {
      lease,
      ...(session === undefined ? {} : { session }),
      next: { dueAt: now(), lane: LANES.reading, attempts: lease.attempts },
    };
  }

  async #takeOver(lease: Lease, signal: AbortSignal): Promise<Finished> {
    const { meter } = lease;
    const { custodian, dial, now } = this.#ports;
    const route = routeOf(meter);
    const startedAt = now();
    const result = await carryContact({ custodian, dial, now }, { systemTitle: meter.systemTitle, route }, signal);
    const session = result.ladder.length === 0 ? undefined : contactRecord(result, startedAt, now());
    const judged = judgeTrust({ ...result.state, protection: undefined });
    const decidedAt = now();
    const effective = this.#ports.clockOf(meter.kind).atSource(result.state.provenAt ?? decidedAt);
    const trust = changeOf(lease.trust, judged, decidedAt, effective);
    return {
      lease,
      ...(session === undefined ? {} : { session }),
      takeover: result.state,
      ...(trust === undefined ? {} : { trust }),
      next: this.#afterContact(lease, result),
    };
  }

  #afterContact(lease: Lease, result: ContactResult): NextDue {
    const now = this.#ports.now();
    switch (result.next) {
      case "done":
        return { dueAt: now, lane: LANES.reading, attempts: 0 };
      case "reconnect":
        if (result.lost === undefined) return { dueAt: now, lane: LANES.takeover, attempts: 0 };
        return this.#retry(lease, LANES.takeover, result.lost.code);
      case "wait":
        return {
          dueAt: now + Math.max(result.milliseconds, result.lost === undefined ? 0 : this.#pause(lease)),
          lane: LANES.takeover,
          attempts: result.lost === undefined ? 0 : lease.attempts + 1,
          ...(result.lost === undefined ? {} : { code: result.lost.code }),
        };
      default:
        return result.next satisfies never;
    }
  }

  async #read(lease: Lease, signal: AbortSignal): Promise<Finished> {
    const { meter } = lease;
    const profile = findMeterProfile(meter.profile);
    if (profile === undefined)
      throw new HeadEndError("meter-profile-unknown", `this head-end does not know how to read "${meter.profile}"`);
    const clock = this.#ports.clockOf(meter.kind);
    const isReading = lease.onDemand !== "verify";
    const nowAtSource = clock.atSource(this.#ports.now());
    const ends = isReading ? dayEnds(lease, nowAtSource) : {};
    // With the logs, each day, and whenever somebody asks.
    const looksAtDestinations = ends.eventsFrom !== undefined || lease.onDemand === "read";
    const outcome = await holdReadingSession(
      this.#ports,
      {
        meter,
        route: routeOf(meter),
        profile,
        clock,
        purpose: isReading ? "read" : "verify",
        isAwaited: lease.onDemand !== undefined,
        ...ends,
        gaps: lease.gaps,
        ...(isReading && lease.qualityGaps !== undefined ? { qualityGaps: lease.qualityGaps } : {}),
        ...(looksAtDestinations ? { pushSetUps: this.#setUpsOf(lease) } : {}),
      },
      signal,
    );
    const untold = await this.#tellDestinations(meter, outcome.destinations);
    const everySeconds = stepSeconds(this.#options.collecting, profile.loadProfile.periodSeconds);
    // What could not be told is looked for again, with the logs: they do not count as read.
    const isLogged = outcome.read.events !== undefined && untold === undefined;
    return {
      lease,
      session: outcome.session,
      read: isLogged ? { ...outcome.read, loggedTo: nowAtSource } : outcome.read,
      next: this.#afterRead(lease, { error: outcome.error ?? untold }, clock, everySeconds),
    };
  }

  /**
   * Before what was read is written, since that says that its destinations were looked at. Readings are none the worse for what
   * cannot be told. @returns why it could not.
   */
  async #tellDestinations(meter: Meter, destinations: ReadingOutcome["destinations"]): Promise<unknown> {
    try {
      for (const { obis, destination } of destinations) await this.#ports.watch.pushSetUp(meter, obis, destination);
    } catch (error) {
      return error;
    }
    return undefined;
  }

  #setUpsOf({ pushSetUps }: Lease): NonNullable<ReadingOrder["pushSetUps"]> {
    const asksForList = pushSetUps === undefined || this.#ports.now() - pushSetUps.at >= LIST_EVERY_MILLISECONDS;
    return { listed: pushSetUps?.listed ?? [], asksForList };
  }

  #afterRead(
    lease: Lease,
    { error }: Pick<ReadingOutcome, "error">,
    clock: SourceClock,
    everySeconds: number,
  ): NextDue {
    if (error !== undefined) return this.#retry(lease, LANES.reading, codeOf(error));
    const now = this.#ports.now();
    const settled = nextIntervalAt(clock.atSource(now), SETTLE_SECONDS, everySeconds);
    const spread = this.#ports.random() * SPREAD * everySeconds * 1000;
    return { dueAt: clock.atWall(settled + spread), lane: LANES.reading, attempts: 0 };
  }

  #retry(lease: Lease, lane: NextDue["lane"], code: string): NextDue {
    return { dueAt: this.#ports.now() + this.#pause(lease), lane, attempts: Math.min(lease.attempts + 1, 1000), code };
  }

  #pause(lease: Lease): number {
    return backoffSeconds(lease.attempts + 1, this.#ports.random()) * 1000;
  }

  /** Its way is spared: it comes back at its turn, and that is no failure of its own. */
  #postponed(lease: Lease, dueAt: number): Finished {
    const { attempts, onDemand } = lease;
    const lane = lease.takeover.phase === "done" ? LANES.reading : LANES.takeover;
    const next = { dueAt, lane, attempts, code: "way-spared" };
    return { lease, next: onDemand === undefined ? next : { ...next, lane: lease.lane, onDemand } };
  }

  #nothing(lease: Lease): Finished {
    return { lease, next: { dueAt: Number.POSITIVE_INFINITY, lane: LANES.reading, attempts: 0 } };
  }

  /** Something that is not the meter's doing: the custodian is away, or there is no way to read it. */
  #failed(lease: Lease, error: unknown): Finished {
    const code = codeOf(error);
    const lane = lease.takeover.phase === "done" ? LANES.reading : LANES.takeover;
    const isHopeless = code === "meter-profile-unknown" || code === "meter-address-unknown";
    const next = this.#retry(lease, lane, code);
    return { lease, next: isHopeless ? { ...next, dueAt: this.#ports.now() + HOPELESS_SECONDS * 1000 } : next };
  }

  /** A meter whose record the custodian refuses is not believed any more, whatever was proven of it. */
  #refused(finished: Finished): Finished {
    if (finished.next.code !== RECORD_REFUSED.reason) return finished;
    const { lease } = finished;
    const decidedAt = this.#ports.now();
    const trust = changeOf(
      lease.trust,
      RECORD_REFUSED,
      decidedAt,
      this.#ports.clockOf(lease.meter.kind).atSource(decidedAt),
    );
    return trust === undefined ? finished : { ...finished, trust };
  }

  /** A meter that left by another way than ours: its line says so as soon as that was looked at, and nobody tries it. */
  #left(finished: Finished): Finished {
    if (finished.next.code !== METER_LEFT) return finished;
    return { ...finished, next: { ...finished.next, dueAt: this.#ports.now() + HOPELESS_SECONDS * 1000 } };
  }

  /** What cannot be written to the ledger does not happen. */
  async #record({ lease, trust }: Finished): Promise<void> {
    if (trust === undefined) return;
    await this.#ports.ledger.append(trustDraft(this.#ports.scope, lease.meter.title, lease.trust, trust));
  }

  #tell({ lease: { meter }, session, read, takeover, trust }: Finished): void {
    const { events, onChange, onSession } = this.#ports;
    onChange([meter.id]);
    if (takeover !== undefined && session !== undefined) {
      const data = {
        meter: meter.title,
        at: new Date(session.endedAt).toISOString(),
        step: takeover.step,
        sentence: takeover.sentence,
        grade: takeover.grade,
        verdict: takeover.verdict,
      };
      events.publish("takeover", data);
    }
    if (trust !== undefined) events.publish("takeover", trustEvent(meter, takeover, trust), trustLine(meter, trust));
    if (session === undefined) return;
    onSession(meter, session, read);
    const failed = session.outcome !== "done";
    events.publish(
      "session",
      summaryOf(meter, session),
      ...(failed || session.purpose === "verify"
        ? ([
            {
              sentence: `${meter.label}: ${session.sentence}`,
              meter: meter.title,
              session: session.id,
              severity: failed ? "notice" : "info",
            },
          ] as const)
        : []),
    );
    if (read === undefined || session.purpose === "verify") return;
    if (read.registers.length + read.intervals.length === 0) return;
    const newest = read.intervals.at(-1);
    const evidence = (newest ?? read.registers[0])?.evidence.hash;
    const data: EventData["reading"] = {
      meter: meter.title,
      at: new Date(session.endedAt).toISOString(),
      intervals: read.intervals.length,
      registers: read.registers.length,
      ...(newest === undefined ? {} : { newest: new Date(newest.at).toISOString() }),
      ...(read.powerW === undefined ? {} : { powerW: read.powerW }),
      ...(read.energyWh === undefined ? {} : { energyWh: read.energyWh }),
      ...(evidence === undefined ? {} : { evidence: Buffer.from(evidence).toString("hex") }),
    };
    events.publish("reading", data);
  }
}

function routeOf(meter: Meter): NonNullable<Meter["route"]> {
  if (meter.route === undefined)
    throw new HeadEndError("meter-address-unknown", `nobody has told where meter ${meter.title} is reached`);
  return meter.route;
}

function summaryOf(meter: Meter, session: SessionRecord): EventData["session"] {
  const { sent, received } = octetCounts(session.ladder);
  return {
    id: session.id,
    meter: meter.title,
    purpose: session.purpose,
    outcome: session.outcome,
    ...(session.code === undefined ? {} : { code: session.code }),
    sentence: session.sentence,
    startedAt: new Date(session.startedAt).toISOString(),
    endedAt: new Date(session.endedAt).toISOString(),
    steps: session.ladder.length,
    octetsSent: sent,
    octetsReceived: received,
  };
}

/**
 * From when on logs, and the registers at the ends of days, are to be read: both once when a day has ended at the source, the
 * latter again while the newest is late. Some of a log is read twice rather than never; of a meter that was away all days are
 * asked for since the last that is held.
 */
export function dayEnds(
  { loggedTo, daysTo, trustHistory }: Pick<Lease, "loggedTo" | "daysTo" | "trustHistory">,
  nowAtSource: number,
): Pick<ReadingOrder, "eventsFrom" | "daysFrom"> {
  const settled = nowAtSource - SETTLE_SECONDS * 1000;
  const isNewDay = loggedTo === undefined || dayOf(settled) > dayOf(loggedTo - SETTLE_SECONDS * 1000);
  const age = daysTo === undefined ? 0 : settled - daysTo;
  const isLate = age >= DAY_MILLISECONDS && age < DAY_MILLISECONDS + LATE_DAY_MILLISECONDS;
  // Of one that never gave any: since it is ours, and the last days in any case.
  const ours = Math.min(nowAtSource - FIRST_DAYS * DAY_MILLISECONDS, trustHistory[0]?.effective ?? nowAtSource);
  return {
    ...(isNewDay ? { eventsFrom: loggedTo === undefined ? "whole" : loggedTo - DAY_MILLISECONDS } : {}),
    ...(isNewDay || isLate ? { daysFrom: daysTo === undefined ? Math.max(0, ours) : daysTo + 1_000 } : {}),
  };
}

/** What somebody asked for does not wait for its way to be free; the commands of a batch do, as readings. */
function isUrgent({ onDemand, lane }: Lease): boolean {
  return onDemand !== undefined && !(onDemand === "command" && lane !== LANES.onDemand);
}

/**
 * MC-23: reading waits where the budget of the meter's SIM is used up. What people ask for, commands and keys do not, nor does a
 * takeover: safety is not saved on.
 */
function isSpared({ isSimUsedUp, onDemand, takeover }: Lease): boolean {
  return isSimUsedUp === true && onDemand === undefined && takeover.phase === "done";
}

/**
 * Whether the depot has the meter: until that is over there is nobody in the field to speak with. One that had left and has come
 * back is wherever it is, and sought where it was read.
 */
function isOnBench({ meter, trustHistory }: Lease): boolean {
  return meter.path === "depot" && !trustHistory.some(({ state }) => state === "retired");
}

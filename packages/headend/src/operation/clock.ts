import { Clock, type DateTime, dateTimeAt, remote } from "@meterkeep/dlms";
import { type FieldValue, object, whole } from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { clockSet } from "../reading/misdated.ts";
import type { ReadResult } from "../reading/result.ts";
import { instantIn } from "../session/meter-reader.ts";
import { CLOCK_LIMITS, type ClockCheck, checkClock } from "../time/clock-check.ts";
import { type Adjustment, keepAdjustment, MOST_ADJUSTMENTS, recentAdjustments } from "./clock-adjustments.ts";
import type { Finding, Operation, OperationSession, ReadBack } from "./operation.ts";

const parameters = object({
  /** How far the clock may be moved at most, in seconds. */
  mostSeconds: whole(1, CLOCK_LIMITS.setSeconds),
});
type ClockParameters = FieldValue<typeof parameters>;

/** No correction so close to the end of an interval: what is captured around it would be in doubt. */
const BOUNDARY_SECONDS = 120;
/** A run that was lost is tried again within this. */
const RECENT_MILLISECONDS = 3_600_000;
/** An interval shorter than this has no quiet part. */
const SHORTEST_INTERVAL_SECONDS = 5 * 60;

/**
 * Brings the clock back: up to 5 s is let be, up to 900 s is corrected away from the ends of intervals,
 * more is an incident and not corrected. A clock that is corrected often, or now this way and now that, is one as well, and
 * moved only under what was approved as grave: more than 60 s.
 */
export const clockOperation: Operation<ClockParameters> = {
  name: "clock",
  parameters,
  example: { mostSeconds: 60 },
  words: ({ mostSeconds }) => `correct the clock by ${mostSeconds} s at most`,

  command({ mostSeconds }, { clock }) {
    const instance = instanceOf(clock.obis);
    return clock.corrected === "shift"
      ? { kind: "clock-shift", instance, mostSeconds }
      : { kind: "clock", instance, toleranceSeconds: CLOCK_LIMITS.ignoreSeconds };
  },

  async preview(on, { mostSeconds }) {
    const { check, fact } = await readClock(on);
    const findings = await findingsOf(on, check);
    const wait = waitForQuiet(on, check);
    const changes = isDue(check, mostSeconds) && isAllowed(findings, mostSeconds);
    const later = changes && wait > 0 ? `; to be done in ${Math.ceil(wait / 1000)} s` : "";
    return { changes, sentence: `${check.sentence}${later}.`, readBack: [fact], findings };
  },

  async run(on, { mostSeconds }) {
    const { check, fact } = await readClock(on);
    const findings = await findingsOf(on, check);
    if (!isDue(check, mostSeconds)) {
      const isFine = check.verdict === "in-time";
      const sentence = isFine ? `${check.sentence}.` : `${check.sentence}; it was left as it is.`;
      // A run before this one may have been lost behind its correction.
      const last = (await recentAdjustments(on.memory, on.now())).at(-1);
      const moved = last !== undefined && on.now() - last.at < RECENT_MILLISECONDS ? movedOver(on, last) : {};
      const read = { ...moved, clockOffsetSeconds: check.certainSeconds };
      return { outcome: isFine ? "unchanged" : "not-taken", sentence, readBack: [fact], findings, read };
    }
    if (!isAllowed(findings, mostSeconds)) {
      const sentence = `${check.sentence}; it was left as it is: this takes the approval of a correction by more than ${CLOCK_LIMITS.adjustSeconds} s.`;
      return { outcome: "not-taken", sentence, readBack: [fact], findings };
    }
    const wait = waitForQuiet(on, check);
    if (wait > 0) {
      const sentence = `${check.sentence}; an interval ends too soon before or after.`;
      return { outcome: "not-now", sentence, readBack: [fact], findings, againAt: on.now() + wait };
    }
    await correct(on, check);
    const adjustment = { at: on.now(), seconds: -check.offsetSeconds };
    await keepAdjustment(on.memory, adjustment);
    const after = await readClock(on, fact.found);
    const holds = after.check.verdict === "in-time";
    return {
      outcome: holds ? "done" : "not-taken",
      sentence: `${check.sentence}; it was corrected. ${after.check.sentence}.`,
      readBack: [{ ...after.fact, holds }],
      findings,
      // Else what it pushes until the next session would be disputed for what its clock was.
      read: { ...movedOver(on, adjustment), clockOffsetSeconds: after.check.certainSeconds },
    };
  },
};

/**
 * The intervals that the clock was moved over or in: what is known of them is not what the meter has now. What it has dated
 * before and nobody has read yet is of times that nobody knows, where it was off by more than is let be.
 */
function movedOver({ clock, profile }: OperationSession, { at, seconds }: Adjustment): Partial<ReadResult> {
  const period = profile.loadProfile.periodSeconds * 1000;
  const after = clock.atSource(at);
  const before = after - seconds * 1000;
  const from = Math.floor(Math.min(before, after) / period) * period;
  const to = Math.ceil(Math.max(before, after) / period) * period;
  const set = clockSet(-seconds, after);
  return { uncovered: [{ from, to }], ...(set !== undefined && { clockSet: set }) };
}

/** Whether the clock is off, and by no more than may be corrected. */
function isDue({ verdict, offsetSeconds }: ClockCheck, mostSeconds: number): boolean {
  return verdict !== "in-time" && verdict !== "incident" && Math.abs(offsetSeconds) <= mostSeconds;
}

/** A clock that moves oddly is moved by people's word only, since who moves it moves the times of readings. */
function isAllowed(findings: readonly Finding[], mostSeconds: number): boolean {
  return findings.length === 0 || mostSeconds > CLOCK_LIMITS.adjustSeconds;
}

async function readClock(
  on: OperationSession,
  before?: string,
): Promise<{ readonly check: ClockCheck; readonly fact: ReadBack }> {
  const name = logicalName(on.profile.clock.obis);
  on.begin();
  const sent = on.now();
  const at = instantIn(on.profile.timeZone, await remote(on.session, Clock, name).get("time"));
  if (at === undefined) throw new HeadEndError("meter-answer-unusable", "its clock does not say what time it is");
  const check = checkClock(at, on.clock.atSource(sent), on.clock.atSource(on.now()));
  const fact: ReadBack = {
    name: "clock offset",
    object: `${name}/2`,
    ...(before === undefined ? {} : { before }),
    wanted: `within ${CLOCK_LIMITS.ignoreSeconds} s`,
    found: `${check.offsetSeconds.toFixed(1)} s`,
    holds: check.verdict === "in-time",
    evidence: on.evidence(),
  };
  return { check, fact };
}

async function correct(on: OperationSession, { offsetSeconds }: ClockCheck): Promise<void> {
  const clock = remote(on.session, Clock, logicalName(on.profile.clock.obis));
  if (on.profile.clock.corrected === "shift") await clock.call("shiftTime", Math.round(-offsetSeconds));
  else await clock.set("time", localTime(on, Math.round(on.clock.atSource(on.now()) / 1000) * 1000));
}

/** The time as clocks of such meters show it. */
function localTime({ profile: { timeZone } }: OperationSession, instant: number): DateTime {
  return dateTimeAt(instant, timeZone?.deviationAt(instant) ?? 0);
}

/** How long until no interval ends within two minutes, on the meter's clock or the right one: milliseconds on ours. */
function waitForQuiet(on: OperationSession, { offsetSeconds }: ClockCheck): number {
  const now = on.clock.atSource(on.now());
  const period = periodOf(on.profile);
  const margin = Math.min(BOUNDARY_SECONDS, period / 4);
  const moments = [now, now + offsetSeconds * 1000];
  let wait = 0;
  // Each step leaves one boundary behind; both clocks are quiet after a few, or never are.
  for (let step = 0; step < 4; step += 1) {
    const disturbed = moments.map((at) => untilQuiet((at + wait) / 1000, period, margin)).find((left) => left > 0);
    if (disturbed === undefined) return wait / on.clock.factor;
    wait += disturbed * 1000;
  }
  return 0;
}

function untilQuiet(atSeconds: number, periodSeconds: number, marginSeconds: number): number {
  const into = atSeconds % periodSeconds;
  if (into < marginSeconds) return marginSeconds - into;
  return into > periodSeconds - marginSeconds ? periodSeconds - into + marginSeconds : 0;
}

function periodOf({ loadProfile }: MeterProfile): number {
  return Math.max(SHORTEST_INTERVAL_SECONDS, loadProfile.periodSeconds);
}

/** What people should know of a clock that is off: too far, too often, or now this way and now that. */
async function findingsOf(on: OperationSession, check: ClockCheck): Promise<readonly Finding[]> {
  const { sentence, verdict, offsetSeconds } = check;
  if (verdict === "in-time") return [];
  const earlier = await recentAdjustments(on.memory, on.now());
  const last = earlier.at(-1);
  const incidents = [
    verdict === "incident" ? sentence : undefined,
    earlier.length >= MOST_ADJUSTMENTS ? `${sentence}, after ${earlier.length} corrections in 30 days` : undefined,
    last !== undefined && Math.sign(last.seconds) === Math.sign(offsetSeconds)
      ? `${sentence}, after it was moved that way before`
      : undefined,
  ];
  return incidents
    .filter((words) => words !== undefined)
    .map((words) => ({ code: "clock-incident", severity: "alert", sentence: `${words}.` }));
}

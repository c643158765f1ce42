import { Clock, dateTimeAt, instantOf, remote, SingleActionSchedule } from "@meterkeep/dlms";
import { type FieldValue, hexOctets, object, ownMoment, ownMomentFields, text, whole } from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";
import type { FirmwareShelf } from "../firmware/shelf.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { CLOCK_LIMITS } from "../time/clock-check.ts";
import { notActivated, readiness } from "./image-activate.ts";
import { runningFact } from "./image-state.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationSession, ReadBack } from "./operation.ts";
import { sha384 } from "./sha384.ts";

const parameters = object({
  sha384: hexOctets(48, 48),
  identifier: text(32),
  imageBytes: whole(1, 64 * 1024 * 1024),
  /** The name under which the meter reports it once it runs. */
  firmware: text(32),
  ...ownMomentFields,
});
type ScheduleParameters = FieldValue<typeof parameters>;

/**
 * Lets each meter activate the image that was transferred and verified at a moment of its own (single action schedule, Blue Book
 * 4.5.6), so that no wave comes alive in one moment. It fails closed as activating at once does; done is a schedule that reads
 * back as it was written. That the firmware runs is asked of the meter later, by `image-activate` or this again.
 */
export const imageScheduleOperation = (shelf: FirmwareShelf): Operation<ScheduleParameters> => ({
  name: "image-schedule",
  parameters,
  example: {
    ...{ sha384: "00".repeat(48), identifier: "I120-250", imageBytes: 200_000, firmware: "I120-2.5.0" },
    ...{ windowMinutes: 120, offsetMinutes: 60 },
  },
  words: ({ firmware, windowMinutes }) =>
    `let the firmware ${firmware} that was transferred be activated by each meter at a moment of its own in ${windowMinutes} minutes`,
  command: ({ sha384: hash, identifier, windowMinutes, offsetMinutes }, profile) => ({
    kind: "firmware-schedule",
    instance: instanceOf(offered(profile.imageSchedule, "image activation scheduler", profile)),
    identifier,
    sha384: hash,
    windowMinutes,
    offsetMinutes,
  }),

  async preview(on, of) {
    const { fact } = await runningFact(on, of.firmware);
    if (fact.holds) return { changes: false, sentence: `${of.firmware} runs already.`, readBack: [fact], findings: [] };
    const { ready, image } = await readiness(shelf, on, of);
    const why = ready ?? (await clockProblem(on, of));
    const sentence = why ?? `${of.firmware} is ready to be activated at the meter's own moment.`;
    return { changes: why === undefined, sentence, readBack: [fact, image], findings: [] };
  },

  async run(on, of) {
    const before = await runningFact(on, of.firmware);
    if (before.fact.holds) {
      const sentence = `${of.firmware} runs.`;
      return { outcome: "unchanged", sentence, readBack: [before.fact], findings: [], firmware: before.running };
    }
    const { ready, image } = await readiness(shelf, on, of);
    const why = ready ?? (await clockProblem(on, of));
    if (why !== undefined) return notActivated(why, [image]);
    const schedule = scheduleObject(on);
    const at = ownMoment(of.windowMinutes, { now: on.now(), meter: on.meter.title, sha384 });
    const { hundredths: _, ...moment } = dateTimeAt(at, -of.offsetMinutes);
    const time = { ...moment, hundredths: undefined };
    await schedule.set("executionTime", [{ time, date: time }]);
    const fact = await scheduledFact(on, of, at);
    if (!fact.holds) return notActivated(`The meter shows ${fact.found}, and not its own moment.`, [image, fact]);
    const sentence = `${of.firmware} is activated by the meter itself at ${new Date(at).toISOString()}.`;
    return { outcome: "done", sentence, readBack: [image, fact], findings: [] };
  },
});

function scheduleObject(on: OperationSession) {
  const name = logicalName(offered(on.profile.imageSchedule, "image activation scheduler", on.profile));
  return remote(on.session, SingleActionSchedule, name);
}

/** A schedule is in the meter's own time: why that is not what was signed; undefined where it is. */
async function clockProblem(on: OperationSession, { offsetMinutes }: ScheduleParameters): Promise<string | undefined> {
  const time = await remote(on.session, Clock, logicalName(on.profile.clock.obis)).get("time");
  const deviation = time.deviation ?? on.profile.timeZone?.deviationAt(on.now()) ?? 0;
  if (-deviation !== offsetMinutes)
    return `Its clock is ${-deviation} minutes ahead of UTC, and not ${offsetMinutes}: nothing was scheduled.`;
  const at = instantOf(time, deviation);
  if (at === undefined) throw new HeadEndError("meter-answer-unusable", "its clock does not say what time it is");
  const seconds = (at - on.now()) / 1000;
  if (Math.abs(seconds) <= CLOCK_LIMITS.adjustSeconds) return undefined;
  return `Its clock is off by ${Math.round(seconds)} s: nothing was scheduled.`;
}

async function scheduledFact(
  on: OperationSession,
  { offsetMinutes }: ScheduleParameters,
  at: number,
): Promise<ReadBack> {
  on.begin();
  const times = await scheduleObject(on).get("executionTime");
  const moments = times.map(({ time, date }) =>
    instantOf({ ...date, ...time, deviation: -offsetMinutes, status: undefined }),
  );
  const said = moments.map((moment) => (moment === undefined ? "some time" : new Date(moment).toISOString()));
  return {
    name: "scheduled activation",
    object: `${logicalName(on.profile.imageSchedule ?? "")}/4`,
    wanted: new Date(at).toISOString(),
    found: said.length === 0 ? "no time" : said.join(", "),
    holds: moments.length === 1 && moments[0] === at,
    evidence: on.evidence(),
  };
}

import { DAY_MILLISECONDS } from "../day.ts";
import type { EnrolmentRecords } from "../store/store.ts";
import { DEFAULT_ENROLMENT_POLICY } from "./policy.ts";

const HOUR_MILLISECONDS = 3_600_000;
const HOURS_A_DAY = 24;
/** How far back the pace of enrolment is measured. */
const MEASURED_DAYS = 30;
/** Only spans in which some meter was enrolled count: a fleet that rests says nothing about how fast it can be. */
export const PACE_SPAN_MILLISECONDS = 600_000;
/** Fewer say nothing. */
const FEWEST = 2;

/**
 * Meters that are enrolled in an hour: as measured over the air in the last 30 days while there was something to do, and
 * no more than the policy lets begin. Undefined where too few were.
 */
export async function enrolmentPace(
  enrolments: Pick<EnrolmentRecords, "pace" | "policy">,
  now: number,
): Promise<number | undefined> {
  const { enrolled, spans } = await enrolments.pace(now - MEASURED_DAYS * DAY_MILLISECONDS, PACE_SPAN_MILLISECONDS);
  if (enrolled < FEWEST) return undefined;
  const { perDay } = (await enrolments.policy()) ?? DEFAULT_ENROLMENT_POLICY;
  const measured = (enrolled * HOUR_MILLISECONDS) / (spans * PACE_SPAN_MILLISECONDS);
  // Where waves are stopped, how long they would take is still asked.
  return perDay === 0 ? measured : Math.min(measured, perDay / HOURS_A_DAY);
}

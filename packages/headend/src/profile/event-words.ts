import { eventFacts } from "./event-codes.ts";
import { findMeterProfile } from "./meter-profile.ts";

/** What a line of an event log says, in the words of the meter's profile. */
export function eventWords({
  profile,
  log,
  code,
}: {
  readonly profile: string;
  /** As the profile calls it. */
  readonly log: string;
  readonly code: number;
}): string {
  const codes = findMeterProfile(profile)?.eventLogs.find(({ name }) => name === log)?.codes;
  return eventFacts(codes ?? {}, code).words;
}

import { type FieldValue, listOf, matching, object, optional, text, whole } from "../canonical/field.ts";
import { isShareNotLooser, share, shareOf } from "./share.ts";

/** Temperatures that no place on earth has: whoever writes both of them down has decided that the weather is not asked. */
export const ANY_TEMPERATURE = { leastCelsius: -100, mostCelsius: 100 } as const;

const celsius = whole(ANY_TEMPERATURE.leastCelsius, ANY_TEMPERATURE.mostCelsius);
const minuteOfDay = whole(0, 1440);

/**
 * The numbers of the rule set that the head-end's guard holds to. They are a part of the custodian's thresholds and change the
 * same way: tighter at once, looser with two people and after a day.
 */
export const commandRules = object({
  /** Slow drip: what can switch off in 30 days. */
  offPerMonth: share,
  /** MC-03: of the meters on one transformer, in an hour. */
  transformerPerHour: share,
  /** MC-03: of the meters on one feeder, in an hour. */
  feederPerHour: share,
  /** MC-04: what is switched off in ten minutes, of what the island draws, in hundredths of a percent. */
  loadPermyriad: whole(0, 10_000),
  /** MC-04: less than this is always possible, in watts, though never more than a tenth of what the island draws. */
  loadFloorW: whole(0, 1_000_000_000),
  /** MC-04: of a transformer's rating, in hundredths of a percent. */
  transformerLoadPermyriad: whole(0, 10_000),
  /** MC-06: so often the direction may change between the commands of five minutes. */
  signChanges: whole(0, 10_000),
  /** MC-08: supply is switched off between these minutes of the day, on these days (1 is Monday), in this zone, on no holiday. */
  calendar: object({
    fromMinute: minuteOfDay,
    toMinute: minuteOfDay,
    weekdays: listOf(whole(1, 7), 7, 0),
    zone: text(64),
    holidays: listOf(matching(/^\d{4}-\d{2}-\d{2}$/, "a date: YYYY-MM-DD"), 400, 0),
  }),
  /**
   * MC-08: in whole degrees Celsius, whatever the next 24 hours bring; {@link DEFAULT_TEMPERATURE} where it is absent. From
   * the one to the other of {@link ANY_TEMPERATURE} is no bound, and nobody is asked.
   */
  temperature: optional(object({ leastCelsius: celsius, mostCelsius: celsius })),
  /** MC-11: so long before must the customer have been told. */
  noticeHours: whole(0, 2160),
  /** MC-12 */
  dispersion: object({ meanSeconds: whole(1, 3600), capSeconds: whole(1, 7200) }),
  /** MC-13: watching between waves that switch, and between waves of firmware. */
  soakSeconds: object({ supply: whole(0, 86_400), other: whole(0, 86_400), firmware: whole(0, 30 * 86_400) }),
  /** MC-13: what stops a campaign by itself, in hundredths of a percent of what was tried. */
  autoStop: object({ failedPermyriad: whole(0, 10_000), lostPermyriad: whole(0, 10_000), unexpected: whole(1, 1000) }),
  /** MC-16: so many standard deviations above one's own hourly mean. */
  noveltySigmas: whole(1, 100),
  /** MC-17 */
  timeToLiveSeconds: object({ supply: whole(10, 900), other: whole(60, 86_400) }),
  /** MC-21: a limiter lets at least so much pass, in watts. */
  limiterLeastW: whole(0, 1_000_000),
  /** MC-21: where meters may be told to send; empty, wherever the head-end's own operations let them. */
  pushDestinations: listOf(text(256), 64, 0),
  /** MC-23: wake-ups of a meter in a day. */
  wakeUpsPerDay: whole(0, 1000),
});
export type CommandRules = FieldValue<typeof commandRules>;
type Temperature = NonNullable<CommandRules["temperature"]>;

/** MC-08: neither in frost nor in great heat. */
export const DEFAULT_TEMPERATURE = { leastCelsius: 0, mostCelsius: 35 } as const;

/** What holds unless somebody decided otherwise. */
export const DEFAULT_COMMAND_RULES: CommandRules = {
  offPerMonth: shareOf(200, 100, 2_000),
  transformerPerHour: shareOf(500, 2),
  feederPerHour: shareOf(200, 1),
  loadPermyriad: 10,
  loadFloorW: 50_000,
  transformerLoadPermyriad: 2_000,
  signChanges: 20,
  calendar: { fromMinute: 480, toMinute: 900, weekdays: [1, 2, 3, 4], zone: "UTC", holidays: [] },
  temperature: DEFAULT_TEMPERATURE,
  noticeHours: 24,
  dispersion: { meanSeconds: 300, capSeconds: 1800 },
  soakSeconds: { supply: 600, other: 60, firmware: 86_400 },
  autoStop: { failedPermyriad: 200, lostPermyriad: 50, unexpected: 1 },
  noveltySigmas: 6,
  timeToLiveSeconds: { supply: 900, other: 86_400 },
  limiterLeastW: 500,
  pushDestinations: [],
  wakeUpsPerDay: 4,
};

/** Whether no number of `next` allows more than `now` does. */
export function areRulesNotLooser(next: CommandRules, now: CommandRules): boolean {
  const shares = ["offPerMonth", "transformerPerHour", "feederPerHour"] as const;
  const [nextTemperature, nowTemperature] = [next, now].map(({ temperature = DEFAULT_TEMPERATURE }) => temperature) as [
    Temperature,
    Temperature,
  ];
  const least = [
    [next.loadPermyriad, now.loadPermyriad],
    [next.loadFloorW, now.loadFloorW],
    [next.transformerLoadPermyriad, now.transformerLoadPermyriad],
    [next.signChanges, now.signChanges],
    [next.noveltySigmas, now.noveltySigmas],
    [next.timeToLiveSeconds.supply, now.timeToLiveSeconds.supply],
    [next.timeToLiveSeconds.other, now.timeToLiveSeconds.other],
    [next.wakeUpsPerDay, now.wakeUpsPerDay],
    [next.autoStop.failedPermyriad, now.autoStop.failedPermyriad],
    [next.autoStop.lostPermyriad, now.autoStop.lostPermyriad],
    [next.autoStop.unexpected, now.autoStop.unexpected],
    [now.noticeHours, next.noticeHours],
    [now.dispersion.meanSeconds, next.dispersion.meanSeconds],
    [now.dispersion.capSeconds, next.dispersion.capSeconds],
    [now.soakSeconds.supply, next.soakSeconds.supply],
    [now.soakSeconds.other, next.soakSeconds.other],
    [now.soakSeconds.firmware, next.soakSeconds.firmware],
    [now.limiterLeastW, next.limiterLeastW],
    [now.calendar.fromMinute, next.calendar.fromMinute],
    [next.calendar.toMinute, now.calendar.toMinute],
    [nowTemperature.leastCelsius, nextTemperature.leastCelsius],
    [nextTemperature.mostCelsius, nowTemperature.mostCelsius],
  ] as const;
  return (
    shares.every((name) => isShareNotLooser(next[name], now[name])) &&
    least.every(([one, other]) => one <= other) &&
    next.calendar.zone === now.calendar.zone &&
    next.calendar.weekdays.every((day) => now.calendar.weekdays.includes(day)) &&
    now.calendar.holidays.every((day) => next.calendar.holidays.includes(day)) &&
    areDestinationsNotLooser(next.pushDestinations, now.pushDestinations)
  );
}

/** An empty list is none: it bounds nothing. */
function areDestinationsNotLooser(next: readonly string[], now: readonly string[]): boolean {
  return now.length === 0 || (next.length > 0 && next.every((one) => now.includes(one)));
}

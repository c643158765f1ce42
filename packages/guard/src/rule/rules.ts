import { type CommandRules, DEFAULT_TEMPERATURE } from "../threshold/command-rules.ts";
import { capOf, type Share } from "../threshold/share.ts";
import { commandRulesOf, type Thresholds } from "../threshold/thresholds.ts";

/** Who holds to a rule. What the custodian does is done whoever owns the head-end. */
export type Enforcer = "custodian" | "head-end" | "both";

interface Rule {
  readonly title: string;
  readonly words: string;
  readonly enforced: Enforcer;
  /** Whether another person may waive what it found when a request is released from quarantine. */
  readonly releasable: boolean;
  /** The numbers that hold, in words. */
  readonly now: (thresholds: Thresholds, rules: CommandRules, fleet: number) => string;
}

function rule(
  title: string,
  enforced: Enforcer,
  words: string,
  now: Rule["now"],
  releasable: "releasable" | "firm" = "firm",
): Rule {
  return { title, words, enforced, now, releasable: releasable === "releasable" };
}

const PERMYRIAD_PER_PERCENT = 100;
const percent = (permyriad: number): string => `${permyriad / PERMYRIAD_PER_PERCENT} %`;
const cap = (share: Share, fleet: number): string => `${capOf(share, fleet)} of ${fleet} meters`;
const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** The rules that commands are held to: their ids are everywhere where one of them speaks. */
export const MC_RULES = {
  "MC-01": rule(
    "Fleet cap of a day",
    "both",
    "So many meters may be switched off in 24 hours, and in 30 days: a slow drip is a flood as well.",
    (thresholds, rules, fleet) =>
      `${cap(thresholds.offPerDay, fleet)} a day, said loudly from ${capOf(thresholds.offPerDayWarning, fleet)}; ${cap(rules.offPerMonth, fleet)} in 30 days`,
    "releasable",
  ),
  "MC-02": rule(
    "Fleet cap of ten minutes",
    "both",
    "So many meters may be switched off in ten minutes; what injection is taken off is counted for itself.",
    ({ offPerTenMinutes }, _, fleet) => cap(offPerTenMinutes, fleet),
    "releasable",
  ),
  "MC-03": rule(
    "Cap of a transformer and a feeder",
    "head-end",
    "So many of the meters on one transformer, and on one feeder, may be switched off in an hour.",
    (_, { transformerPerHour, feederPerHour }) =>
      `${percent(transformerPerHour.permyriad)} of a transformer (at least ${transformerPerHour.floor}), ${percent(feederPerHour.permyriad)} of a feeder (at least ${feederPerHour.floor}), a tenth at most, one always`,
    "releasable",
  ),
  "MC-04": rule(
    "Load at risk",
    "head-end",
    "What is switched off in ten minutes draws no more than a share of the island's load and of the transformer's rating.",
    (_, rules) =>
      `${percent(rules.loadPermyriad)} of the island's load (at least ${rules.loadFloorW} W, a tenth at most), ${percent(rules.transformerLoadPermyriad)} of a transformer's rating`,
    "releasable",
  ),
  "MC-05": rule(
    "Toggle guard",
    "both",
    "No meter is switched again at once, nor many times a day; load and injection each for themselves.",
    ({ toggleMinutes, togglesPerDay }) => `${toggleMinutes} minutes between, ${togglesPerDay} times a day`,
  ),
  "MC-06": rule(
    "Oscillation",
    "both",
    "Commands that alternate between off and on across the fleet stop everything that switches off.",
    (_, { signChanges }) => `more than ${signChanges} changes of direction in five minutes`,
  ),
  "MC-07": rule(
    "Four eyes",
    "both",
    "People sign the hash of the expanded targets, their window and their operation; who asks does not approve. What is grave for a meter that is not believed takes one more.",
    ({ approvals }) =>
      `${approvals.off} for up to ${approvals.offFew} meters, ${approvals.offBatch} beyond, ${approvals.c2Batch} for configuration of many, ${approvals.change} for changes of rules; one more where a meter's trust score is low`,
  ),
  "MC-08": rule(
    "Calendar and weather",
    "both",
    "Nobody loses supply at night, on weekends or on holidays, nor before the work order's day, nor in frost or great heat, nor while the weather office is silent; a clock that was set decides nothing, here and at the custodian.",
    (_, { calendar, temperature = DEFAULT_TEMPERATURE }) =>
      `${clock(calendar.fromMinute)} to ${clock(calendar.toMinute)} ${calendar.zone}, weekdays ${calendar.weekdays.join(", ") || "none"}, ${calendar.holidays.length} holidays; from ${temperature.leastCelsius} to ${temperature.mostCelsius} °C`,
  ),
  "MC-09": rule(
    "Protected sites",
    "head-end",
    "What is on the register of protected sites is never switched off, and whoever tries is told of.",
    () => "the register",
  ),
  "MC-10": rule(
    "Work order",
    "both",
    "A signed work order with a reason stands behind whatever is switched off; the debt is asked for again when it is done, and rests on no reading that is disputed. What no order stands behind takes three people at the custodian.",
    () => "a work order that names the meter; silence of the billing system refuses",
  ),
  "MC-11": rule(
    "Notice",
    "head-end",
    "The customer has been told before, unless it is about safety or the grid.",
    (_, { noticeHours }) => `${noticeHours} hours before`,
  ),
  "MC-12": rule(
    "Dispersion",
    "both",
    "Each meter has a delay of its own that follows from a seed in the manifest; to do without takes three people. Scheduled firmware comes alive at each meter's own moment.",
    (_, { dispersion }) => `${dispersion.meanSeconds} s in the mean, ${dispersion.capSeconds} s at most`,
  ),
  "MC-13": rule(
    "Waves",
    "both",
    "One meter, then ten, then shares of a fleet, each watched before the next; what fails stops the rest by itself.",
    (_, { soakSeconds, autoStop }) =>
      `watched for ${soakSeconds.supply} s (firmware ${soakSeconds.firmware} s); stopped at ${percent(autoStop.failedPermyriad)} failed, ${percent(autoStop.lostPermyriad)} lost or ${autoStop.unexpected} unexpected`,
  ),
  "MC-14": rule(
    "Read back",
    "head-end",
    "Relay and power are read in the same session; another state than the wanted one stops the wave.",
    () => "each meter, at once",
  ),
  "MC-15": rule(
    "Reconnecting",
    "both",
    "Giving supply back waits for no cap, and comes a few of a transformer at a time.",
    () => "a tenth of a transformer's meters a minute",
  ),
  "MC-16": rule(
    "Novelty",
    "head-end",
    "More than somebody ever asked for, another kind of thing, from another network or hours away from their own: another person looks first.",
    (_, { noveltySigmas }) => `${noveltySigmas} standard deviations above one's own hours of 28 days`,
    "releasable",
  ),
  "MC-17": rule(
    "Age",
    "both",
    "A command that is not carried out soon is dropped, never run late.",
    (_, { timeToLiveSeconds }) => `${timeToLiveSeconds.supply} s for supply, ${timeToLiveSeconds.other} s otherwise`,
  ),
  "MC-18": rule(
    "Replay",
    "both",
    "The same again is refused: a manifest is done once, an act of it once on each meter.",
    () => "by hash and nonce",
  ),
  "MC-19": rule(
    "Kill switch",
    "custodian",
    "One person freezes everything critical within a second; two thaw it.",
    () => "at the custodian",
  ),
  "MC-20": rule(
    "Token",
    "custodian",
    "What is critical is sealed for a token over an approved manifest, and for nothing else; the custodian counts itself.",
    () => "each sealed APDU",
  ),
  "MC-21": rule(
    "Bounds of values",
    "both",
    "A limiter lets enough pass to live on, a clock is set to the present, data goes where it may.",
    (_, { limiterLeastW, pushDestinations }) =>
      `a limiter at ${limiterLeastW} W or more; ${pushDestinations.length} destinations allowed`,
  ),
  "MC-22": rule(
    "Alarm storms",
    "head-end",
    "Many alarms of one kind are one storm with its counts; what tells of tampering is never folded away.",
    () => "20 an hour of a meter, 500 a minute of the fleet",
  ),
  "MC-23": rule(
    "Wake-ups and SIM budgets",
    "head-end",
    "A meter is woken so often a day and no more, and is not read when its SIM has carried what its network allows in a month; reading on demand stops before that.",
    (_, { wakeUpsPerDay }) => `${wakeUpsPerDay} a day`,
  ),
} as const satisfies Readonly<Record<`MC-${number}`, Rule>>;

/** The id of a rule. */
export type RuleId = keyof typeof MC_RULES;
export const RULE_IDS = Object.keys(MC_RULES) as readonly RuleId[];

/** A rule as people read it, with the numbers that hold for a fleet. */
export function ruleWords(id: RuleId, thresholds: Thresholds, fleet: number) {
  const { title, words, enforced, now } = MC_RULES[id];
  return { id, title, words, enforced, now: now(thresholds, commandRulesOf(thresholds), fleet) };
}

import type { Stretch } from "../reading/coverage.ts";
import { stretchesOf } from "../reading/misdated.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { type DayTotal, type MeterHistory, median } from "./history.ts";
import { type MeterDay, netOf, resolutionOf, totalOf } from "./meter-day.ts";
import type { MeterFacts, RegisterPoint } from "./meter-facts.ts";
import { DIRECTIONS, type Direction } from "./quantity.ts";
import type { PlausibilityRuleId } from "./rules.ts";

/** What a phase can carry, A. */
const MOST_AMPERES = 100;
/** What a meter behind current transformers can carry: 5 A and a fifth more (EN 50470-3). */
const MOST_SECONDARY_AMPERES = 6;
/** Between a phase and neutral. */
const NOMINAL_VOLTS = 230;
/** The same behind voltage transformers of 100 V between phases. */
const SECONDARY_VOLTS = 100 / Math.sqrt(3);
/** So far beyond what its connection carries a meter may count. */
const HEADROOM = 1.1;
/** So far beyond what its transformer is rated for. */
const TRANSFORMER_HEADROOM = 1.5;
const SPIKE = { ratio: 1.8, fromWh: 100 } as const;
const FLAT_INTERVALS = 12;
/** What it has done on so many days is its habit. */
const FLAT_HABIT_DAYS = 3;
const SCORE = { days: 28, least: 7, most: 6 } as const;
/** Who counts this little of a day less or more than usual is let be, Wh. */
const SCORE_FLOOR_WH = 200;
/** Runs of zeros are remembered by months of 30 days, this one and the one before. */
const RUN_MONTH = 30 * DAY_MILLISECONDS;

/** A finding of a meter's day; the whole day unless it says of which intervals. */
type Found = Omit<PlausibilityFinding, "subject" | "stretch"> & { readonly stretch?: Stretch };

/** What the rules P-1 to P-9, P-16 and P-17 find in a meter's day, and what is to be remembered of it. One pass a rule over what stands in memory. */
export function judgeMeterDay(
  day: MeterDay,
  facts: MeterFacts,
  before: MeterHistory,
): { readonly findings: readonly PlausibilityFinding[]; readonly history: MeterHistory } {
  const runs = zeroRuns(day, before);
  const flat = flatRun(day);
  const found: readonly Found[] = [
    ...DIRECTIONS.flatMap((direction) => [
      ...sumCheck(day, facts, direction),
      ...monotone(day, facts, direction),
      ...bound(day, facts, direction),
      ...spike(day, direction),
      ...agreement(day, facts, direction),
    ]),
    ...zeroRun(runs, day.drawn.energy.length, facts, before),
    ...flatLine(day, flat, before),
    ...dayScore(day, before),
    ...times(facts),
    ...throughOpenRelay(day, facts),
    ...feedsIn(day, facts, before),
  ];
  const whole = { from: day.day, to: day.day + DAY_MILLISECONDS };
  const subject = { kind: "meter", meter: facts.meter } as const;
  return {
    findings: found.map(({ stretch = whole, ...finding }) => ({ ...finding, subject, stretch })),
    history: remembered(day, runs, flat, before),
  };
}

function finding(
  rule: PlausibilityRuleId,
  sentence: string,
  data: Found["data"],
  more: Pick<Found, "stretch" | "stretches"> & { readonly confidence?: number } = {},
): Found {
  return { rule, confidence: 1, sentence, data, ...more };
}

/** P-1: what the intervals sum up to against what the registers of the two midnights say. */
function sumCheck(day: MeterDay, { registers }: MeterFacts, direction: Direction): readonly Found[] {
  const at = (instant: number): number | undefined =>
    registers.find((point) => point.direction === direction && point.at === instant && point.source === "session")
      ?.wattHours;
  const [start, end] = [at(day.day), at(day.day + DAY_MILLISECONDS)];
  if (start === undefined || end === undefined) return [];
  const { energy, register, registerBefore } = day[direction];
  const { sum, missing } = totalOf(energy);
  // Registers that are captured sum up across holes; energies do not, and only too much of them says something.
  const counted = register === undefined ? sum : (register.at(-1) ?? Number.NaN) - (registerBefore ?? Number.NaN);
  if (Number.isNaN(counted) || missing === energy.length) return [];
  const off = counted - (end - start);
  const allowed = resolutionOf(energy) * (missing + 1) + 0.001 * Math.abs(counted);
  const isWrong = register === undefined && missing > 0 ? off > allowed : Math.abs(off) > allowed;
  if (!isWrong) return [];
  const words = `Its intervals of the day are ${kilo(counted)} ${direction}, its registers say ${kilo(end - start)}`;
  return [finding("P-1", `${words}.`, { intervalsWh: counted, registersWh: end - start, allowedWh: allowed })];
}

/** P-2: a register that falls, unless it rolled over. */
function monotone(day: MeterDay, { registers }: MeterFacts, direction: Direction): readonly Found[] {
  const { register, registerBefore } = day[direction];
  const points: { readonly at: number; readonly wattHours: number }[] = registers.filter(
    (point) => point.direction === direction && point.source === "session",
  );
  if (registerBefore !== undefined) points.push({ at: day.day, wattHours: registerBefore });
  register?.forEach((wattHours, slot) => {
    if (!Number.isNaN(wattHours)) points.push({ at: endOf(day, slot), wattHours });
  });
  points.sort((one, other) => one.at - other.at);
  for (const [n, { at, wattHours }] of points.entries()) {
    const last = points[n - 1];
    if (last === undefined || last.at === at || wattHours >= last.wattHours || isRollover(last.wattHours, wattHours))
      continue;
    const words = `Its register of energy ${direction} fell from ${kilo(last.wattHours)} to ${kilo(wattHours)}`;
    return [
      finding("P-2", `${words}.`, { before: last.wattHours, after: wattHours }, { stretch: { from: last.at, to: at } }),
    ];
  }
  return [];
}

/** From just below a power of ten, in Wh or kWh, to just above nothing. */
function isRollover(before: number, after: number): boolean {
  const limit = 10 ** Math.ceil(Math.log10(before + 1));
  return limit >= 1e6 && before > 0.95 * limit && after < 0.05 * limit;
}

/** P-3: more than fuses let pass, than instrument transformers are made for, or than a transformer gives. */
function bound(day: MeterDay, { phases, ratedKva, ratios }: MeterFacts, direction: Direction): readonly Found[] {
  const hours = day.periodSeconds / 3_600;
  const amperes = ratios.current === undefined ? MOST_AMPERES : MOST_SECONDARY_AMPERES * ratios.current;
  const volts = ratios.voltage === undefined ? NOMINAL_VOLTS : SECONDARY_VOLTS * ratios.voltage;
  const most =
    ratedKva === undefined
      ? HEADROOM * phases * volts * amperes * hours
      : TRANSFORMER_HEADROOM * ratedKva * 1_000 * hours;
  return day[direction].energy.reduce<Found[]>((found, wattHours, slot) => {
    if (!(wattHours > most)) return found;
    const words = `${kilo(wattHours)} ${direction} in an interval; its connection carries ${kilo(most)}`;
    found.push(finding("P-3", `${words}.`, { wattHours, mostWh: most }, { stretch: intervalOf(day, slot) }));
    return found;
  }, []);
}

/** P-4: the highest interval of the day against the third highest. */
function spike(day: MeterDay, direction: Direction): readonly Found[] {
  const { energy } = day[direction];
  let [first, second, third, slot] = [0, 0, 0, 0];
  for (let n = 0; n < energy.length; n += 1) {
    const value = energy[n] as number;
    if (value > first) [first, second, third, slot] = [value, first, second, n];
    else if (value > second) [second, third] = [value, second];
    else if (value > third) third = value;
  }
  if (third <= SPIKE.fromWh || (first - third) / third <= SPIKE.ratio) return [];
  const words = `An interval of ${kilo(first)} ${direction} stands out: the third highest of the day is ${kilo(third)}`;
  return [finding("P-4", `${words}.`, { highestWh: first, thirdWh: third }, { stretch: intervalOf(day, slot) })];
}

interface ZeroRuns {
  /** The longest that touches the day, in intervals, and where it ends; one that came over from before counts whole. */
  readonly longest: number;
  readonly endsAt: number;
  /** The longest that ended within the day. */
  readonly ended: number;
  /** The one that goes on. */
  readonly open: number;
}

function zeroRuns(day: MeterDay, { zeroRun: before }: MeterHistory): ZeroRuns {
  let [run, longest, endsAt, ended] = [before, 0, day.day, 0];
  for (let slot = 0; slot < day.drawn.energy.length; slot += 1) {
    const [drawn, fed] = [day.drawn.energy[slot] as number, day.fed.energy[slot] as number];
    // What is not held ends no run and makes none longer.
    if (Number.isNaN(drawn)) continue;
    if (drawn === 0 && !(fed > 0)) {
      run += 1;
      if (run > longest) [longest, endsAt] = [run, endOf(day, slot)];
    } else {
      ended = Math.max(ended, run);
      run = 0;
    }
  }
  return { longest, endsAt, ended, open: run };
}

/** P-5: longer without counting than twice its own longest run, and than a day, though it has voltage and supply. */
function zeroRun(runs: ZeroRuns, dayIntervals: number, facts: MeterFacts, before: MeterHistory): readonly Found[] {
  const own = before.longestZeroRuns.reduce((most, { intervals }) => Math.max(most, intervals), 0);
  const isLive = facts.supplied === true && (facts.voltage ?? 0) > NOMINAL_VOLTS / 2;
  if (facts.role !== "home" || !isLive || before.totals.length === 0) return [];
  if (runs.longest <= Math.max(2 * own, dayIntervals)) return [];
  const words = `It has voltage and supply and counted nothing for ${runs.longest} intervals; the longest before was ${own}`;
  return [finding("P-5", `${words}.`, { intervals: runs.longest, ownLongest: own })];
}

interface FlatRun {
  readonly intervals: number;
  readonly wattHours: number;
  readonly stretch: Stretch;
}

/** The longest run of equal values that are not zero. */
function flatRun(day: MeterDay): FlatRun | undefined {
  const { energy } = day.drawn;
  let longest: FlatRun | undefined;
  let run = 1;
  for (let slot = 1; slot <= energy.length; slot += 1) {
    const value = energy[slot - 1] as number;
    if (slot < energy.length && energy[slot] === value && value > 0) {
      run += 1;
      continue;
    }
    if (run >= FLAT_INTERVALS && run > (longest?.intervals ?? 0))
      longest = {
        intervals: run,
        wattHours: value,
        stretch: { from: endOf(day, slot - 1 - run), to: endOf(day, slot - 1) },
      };
    run = 1;
  }
  return longest;
}

/**
 * P-6: twelve equal values in a row where values usually vary. The steps in which it counts are those of all its days: a day that
 * is one value over and over shows none. A load that is switched is as long at one value most days: what it did on three of its
 * days before it may do twice as long.
 */
function flatLine(
  day: MeterDay,
  flat: FlatRun | undefined,
  { variance, stepWh, flatRuns = [] }: MeterHistory,
): readonly Found[] {
  if (flat === undefined || variance <= 4 * stepOf(day, stepWh) ** 2) return [];
  const { intervals, wattHours, stretch } = flat;
  const usual = flatRuns.map((one) => one.intervals).sort((one, other) => other - one)[FLAT_HABIT_DAYS - 1] ?? 0;
  if (intervals <= 2 * usual) return [];
  const words = `${intervals} intervals in a row are ${kilo(wattHours)} each; they usually vary.`;
  return [finding("P-6", words, { intervals, wattHours, variance, usual }, { stretch })];
}

/** The steps in which its values are told, as far as its days show. */
function stepOf({ drawn: { energy } }: MeterDay, before: number | undefined): number {
  return Math.min(before ?? Number.POSITIVE_INFINITY, resolutionOf(energy));
}

/** P-7: the day's energy against the days of its type before, by median and median deviation. */
function dayScore(day: MeterDay, { totals }: MeterHistory): readonly Found[] {
  const total = netTotal(day);
  const alike = totals.filter((one) => isWeekend(one.day) === isWeekend(day.day)).map(({ wattHours }) => wattHours);
  if (total === undefined || alike.length < SCORE.least) return [];
  const middle = median(alike);
  const spread = 1.4826 * median(alike.map((one) => Math.abs(one - middle)));
  const z = (total - middle) / Math.max(spread, SCORE_FLOOR_WH / SCORE.most, 0.02 * Math.abs(middle));
  if (Math.abs(z) <= SCORE.most) return [];
  const words = `The day's ${kilo(total)} are ${Math.abs(z).toFixed(0)} usual deviations ${z < 0 ? "below" : "above"} the ${kilo(middle)} of days like it`;
  return [finding("P-7", `${words}.`, { wattHours: total, median: middle, deviations: z })];
}

/** P-8: two values for one instant, rows between the ends of intervals, intervals without a row and a reason. */
function times({ times: { contradicted, offGrid, absent } }: MeterFacts): readonly Found[] {
  if (contradicted + offGrid === 0) return [];
  const words = `${contradicted} values of the day contradict others of the same instant and ${offGrid} rows end between two intervals`;
  const lacks = absent === 0 ? "" : `; ${absent} intervals are absent without a reason`;
  return [
    finding("P-8", `${words}${lacks}: a clock was moved, or somebody replays.`, { contradicted, offGrid, absent }),
  ];
}

/** P-9: energy in an interval throughout which the relay was open. */
function throughOpenRelay(day: MeterDay, { open, role }: MeterFacts): readonly Found[] {
  if (open.length === 0 || role !== "home") return [];
  const { energy } = day.drawn;
  const most = 2 * resolutionOf(energy);
  const flowed: number[] = [];
  let sum = 0;
  for (let slot = 0; slot < energy.length; slot += 1) {
    const { from, to } = intervalOf(day, slot);
    const value = energy[slot] as number;
    if (!(value > most) || !open.some((stretch) => stretch.from <= from && stretch.to >= to)) continue;
    sum += value;
    flowed.push(endOf(day, slot));
  }
  // Between two of them its relay was closed, or nothing flowed: that is good.
  const stretches = stretchesOf(flowed, day.periodSeconds);
  const [first, last] = [stretches[0], stretches.at(-1)];
  if (first === undefined || last === undefined) return [];
  const stretch = { from: first.from, to: last.to };
  const parts = stretches.length > 1 ? { stretch, stretches } : { stretch };
  return [finding("P-9", `It counted ${kilo(sum)} while its relay was open.`, { wattHours: sum }, parts)];
}

/** P-16: what was pushed against what was read of the same moment, and both against the load profile. */
function agreement(day: MeterDay, { registers }: MeterFacts, direction: Direction): readonly Found[] {
  const { register, energy } = day[direction];
  const own = registers.filter((point) => point.direction === direction);
  const pushed = own.filter(({ source }) => source === "push");
  if (pushed.length === 0) return [];
  const read = new Map(own.filter(({ source }) => source === "session").map(({ at, wattHours }) => [at, wattHours]));
  const resolution = resolutionOf(register ?? energy);
  const otherOf = ({ at }: RegisterPoint): number | undefined => {
    const slot = (at - day.day) / (day.periodSeconds * 1_000) - 1;
    return read.get(at) ?? (Number.isInteger(slot) ? register?.[slot] : undefined);
  };
  for (const point of pushed) {
    const other = otherOf(point);
    if (other === undefined || Number.isNaN(other) || Math.abs(other - point.wattHours) <= resolution) continue;
    const words = `A push said ${kilo(point.wattHours)} ${direction}, and what was read of the same moment says ${kilo(other)}`;
    const stretch = { from: point.at - day.periodSeconds * 1_000, to: point.at };
    return [finding("P-16", `${words}.`, { pushedWh: point.wattHours, readWh: other }, { stretch })];
  }
  return [];
}

/** P-17: there is no register of who may feed in, so it is the first time that is told. */
function feedsIn(day: MeterDay, { role }: MeterFacts, { feeds, totals }: MeterHistory): readonly Found[] {
  const { sum } = totalOf(day.fed.energy);
  if (role !== "home" || feeds || totals.length === 0 || sum <= 0) return [];
  return [finding("P-17", `It fed in ${kilo(sum)}, for the first time.`, { wattHours: sum })];
}

function remembered(day: MeterDay, runs: ZeroRuns, flat: FlatRun | undefined, before: MeterHistory): MeterHistory {
  const total = netTotal(day);
  const totals: readonly DayTotal[] = [
    ...before.totals.filter((one) => one.day > day.day - SCORE.days * DAY_MILLISECONDS),
    ...(total === undefined ? [] : [{ day: day.day, wattHours: total }]),
  ];
  const [drawnAt, fedAt] = [day.drawn.register?.at(-1), day.fed.register?.at(-1)];
  return {
    ...before,
    day: day.day,
    ...endAt("drawnAt", drawnAt),
    ...endAt("fedAt", fedAt),
    totals,
    zeroRun: runs.open,
    longestZeroRuns: withRun(before.longestZeroRuns, day.day, runs.ended),
    flatRuns: [
      ...(before.flatRuns ?? []).filter((one) => one.day > day.day - SCORE.days * DAY_MILLISECONDS),
      ...(flat === undefined ? [] : [{ day: day.day, intervals: flat.intervals }]),
    ],
    ...(totalOf(day.drawn.energy).sum > 0 ? { stepWh: stepOf(day, before.stepWh) } : {}),
    variance: slowVariance(day, before),
    feeds: before.feeds || totalOf(day.fed.energy).sum > 0,
  };
}

/** What a register stood at when the day ended; a day whose end is not held leaves the next without a beginning. */
function endAt(name: "drawnAt" | "fedAt", value: number | undefined): Partial<MeterHistory> {
  return { [name]: value === undefined || Number.isNaN(value) ? undefined : value };
}

function withRun(runs: MeterHistory["longestZeroRuns"], day: number, ended: number): MeterHistory["longestZeroRuns"] {
  const [month, ...older] = runs;
  if (month === undefined || day - month.from >= RUN_MONTH)
    return [{ from: day, intervals: ended }, ...runs.slice(0, 1)];
  return [{ ...month, intervals: Math.max(month.intervals, ended) }, ...older];
}

function slowVariance(day: MeterDay, { variance, totals }: MeterHistory): number {
  const { energy } = day.drawn;
  const { sum, missing } = totalOf(energy);
  const count = energy.length - missing;
  if (count < 2) return variance;
  const mean = sum / count;
  const today = energy.reduce((all, value) => (Number.isNaN(value) ? all : all + (value - mean) ** 2), 0) / count;
  return totals.length === 0 ? today : variance * 0.9 + today * 0.1;
}

/** Energy drawn less energy fed in over the day, where all of it is held. */
export function netTotal(day: MeterDay): number | undefined {
  let sum = 0;
  for (let slot = 0; slot < day.drawn.energy.length; slot += 1) sum += netOf(day, slot);
  return Number.isNaN(sum) ? undefined : sum;
}

function isWeekend(day: number): boolean {
  const weekday = new Date(day).getUTCDay();
  return weekday === 0 || weekday === 6;
}

function endOf({ day, periodSeconds }: MeterDay, slot: number): number {
  return day + (slot + 1) * periodSeconds * 1_000;
}

function intervalOf(day: MeterDay, slot: number): Stretch {
  return { from: endOf(day, slot - 1), to: endOf(day, slot) };
}

/** Energy in words. */
export function kilo(wattHours: number): string {
  return `${(wattHours / 1_000).toFixed(Math.abs(wattHours) < 100_000 ? 2 : 0)} kWh`;
}

import { DAY_MILLISECONDS } from "../time/day.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { lineOf, type MeterHistory, median, type TransformerHistory, withPoint } from "./history.ts";
import { type MeterDay, netOf, slotsOf } from "./meter-day.ts";
import type { MeterFacts } from "./meter-facts.ts";
import { kilo } from "./meter-rules.ts";

/** A slow mean of how far a meter's voltage is from the median. */
const OFFSET_KEEPS = 0.98;
const VOLTAGE = { leastVolts: 4, deviations: 5, intervals: 8, leastCorrelation: 0.5, siblings: 4 } as const;
/** How long the two regressions remember: an interval of a quarter of an hour. */
const [FAST_KEEPS, SLOW_KEEPS] = [1 - 1 / (14 * 96), 1 - 1 / (90 * 96)];
const DROP = { change: 0.3, explained: 0.2, close: 0.4, loosened: 0.7, known: 2 * 96, leastPoints: 7 * 96 } as const;
/** Errors of classes of meters: of a transformer's, of a home's. */
const CLASS = { transformer: 0.01, home: 0.02 } as const;
const BALANCE = { slack: 0.01, alarm: 0.25, atOnce: 0.05, learned: 2 * 96, keeps: 1 - 1 / (60 * 96) } as const;
/** Losses are no more than this until they are known: a share of what flows, and one of what the transformer is rated for that is lost always. */
const MOST_LOSSES = { flowing: 0.04, standing: 0.003 } as const;
const DEFAULT_KVA = 400;

/** One meter at a transformer. */
export interface MemberDay {
  readonly facts: MeterFacts;
  readonly day: MeterDay;
  readonly history: MeterHistory;
}

/** A transformer's day: what the rules P-11, P-12 and P-13 find, and what is to be remembered of its meters and of itself. */
export interface JudgedTransformer {
  readonly findings: readonly PlausibilityFinding[];
  readonly histories: readonly MeterHistory[];
  readonly transformer: TransformerHistory;
}

/** Judges the meters at one transformer against each other, and their sum against its own meter where it has one. */
export function judgeTransformerDay(
  name: string,
  members: readonly MemberDay[],
  own: MemberDay | undefined,
  before: TransformerHistory,
): JudgedTransformer {
  const voltage = judgeVoltages(members);
  const balance = own === undefined ? { findings: [], transformer: before } : judgeBalance(name, members, own, before);
  return {
    findings: [...voltage.findings, ...balance.findings],
    histories: voltage.histories,
    transformer: balance.transformer,
  };
}

/** P-11 and P-13, which both start from the median of the voltages. */
function judgeVoltages(members: readonly MemberDay[]): Pick<JudgedTransformer, "findings" | "histories"> {
  const medians = medianVoltages(members);
  if (medians === undefined) return { findings: [], histories: members.map(({ history }) => history) };
  const spreads = members.map((member) => offsetsOf(member, medians));
  const spread = median(spreads.flatMap(({ off }) => off.map(Math.abs)));
  const findings: PlausibilityFinding[] = [];
  const histories = members.map((member, n) => {
    const { off, offset, correlation } = spreads[n] as ReturnType<typeof offsetsOf>;
    const { facts, history, day } = member;
    const limit = Math.max(VOLTAGE.leastVolts, VOLTAGE.deviations * (Number.isNaN(spread) ? 0 : spread));
    const far = off.filter((volts) => Math.abs(volts) > limit).length;
    const isOther = correlation !== undefined && correlation < VOLTAGE.leastCorrelation;
    // The first days only say where its voltage lies.
    if (history.voltageOffset !== undefined && (far >= VOLTAGE.intervals || isOther)) {
      const how =
        far >= VOLTAGE.intervals
          ? `is off by more than ${limit.toFixed(0)} V in ${far} intervals`
          : "does not follow them";
      findings.push({
        rule: "P-11",
        subject: { kind: "meter", meter: facts.meter },
        stretch: { from: day.day, to: day.day + DAY_MILLISECONDS },
        confidence: 1,
        sentence: `Its voltage ${how}, against the others at its transformer: it is elsewhere, or makes it up.`,
        data: { intervals: far, limitVolts: limit, correlation: correlation ?? "unknown" },
      });
    }
    const drop = dropOf(member, medians);
    const changed = dropChange(drop);
    if (changed !== undefined)
      findings.push({
        rule: "P-13",
        subject: { kind: "meter", meter: facts.meter },
        stretch: { from: day.day, to: day.day + DAY_MILLISECONDS },
        confidence: changed.confidence,
        sentence: `Its voltage ${changed.how}: what it counts may not be what flows.`,
        data: changed.data,
      });
    return { ...history, ...(offset === undefined ? {} : { voltageOffset: offset }), drop };
  });
  return { findings, histories };
}

/** The median voltage of each slot; undefined where too few tell theirs. Phases of one meter are that of its first. */
function medianVoltages(members: readonly MemberDay[]): Float64Array | undefined {
  const first = members[0];
  if (first === undefined) return undefined;
  const slots = slotsOf(first.day.periodSeconds);
  const medians = new Float64Array(slots).fill(Number.NaN);
  let known = 0;
  for (let slot = 0; slot < slots; slot += 1) {
    const volts: number[] = [];
    for (const { day } of members) {
      const value = day.voltage[slot];
      if (value !== undefined && value > 0) volts.push(value);
    }
    if (volts.length < VOLTAGE.siblings) continue;
    medians[slot] = median(volts);
    known += 1;
  }
  return known === 0 ? undefined : medians;
}

function offsetsOf(
  { day, history }: MemberDay,
  medians: Float64Array,
): { readonly off: readonly number[]; readonly offset: number | undefined; readonly correlation: number | undefined } {
  let offset = history.voltageOffset;
  // What its own load takes off its voltage is no fault of it, as far as that is known.
  const own = history.drop.slow.n < DROP.known ? undefined : lineOf(history.drop.slow);
  const hours = day.periodSeconds / 3_600;
  const off: number[] = [];
  let [n, x, y, xx, xy, yy] = [0, 0, 0, 0, 0, 0];
  for (let slot = 0; slot < medians.length; slot += 1) {
    const [volts, middle] = [day.voltage[slot] as number, medians[slot] as number];
    if (!(volts > 0) || Number.isNaN(middle)) continue;
    const difference = volts - middle;
    offset ??= difference;
    const kilowatts = netOf(day, slot) / hours / 1_000;
    const expected = own === undefined || Number.isNaN(kilowatts) ? offset : -(own.start + own.slope * kilowatts);
    off.push(difference - expected);
    offset = offset * OFFSET_KEEPS + difference * (1 - OFFSET_KEEPS);
    n += 1;
    x += middle;
    y += volts;
    xx += middle * middle;
    xy += middle * volts;
    yy += volts * volts;
  }
  const line = n < medians.length / 2 ? undefined : lineOf({ n, x, y, xx, xy, yy });
  return { off, offset, correlation: line && Math.sign(line.slope) * Math.sqrt(line.explained) };
}

/** P-13: how far voltage lies below the median over the power of the interval. */
function dropOf({ day, history }: MemberDay, medians: Float64Array): MeterHistory["drop"] {
  let { fast, slow } = history.drop;
  const hours = day.periodSeconds / 3_600;
  for (let slot = 0; slot < medians.length; slot += 1) {
    const [volts, middle, wattHours] = [day.voltage[slot] as number, medians[slot] as number, netOf(day, slot)];
    if (!(volts > 0) || Number.isNaN(middle) || Number.isNaN(wattHours)) continue;
    const kilowatts = wattHours / hours / 1_000;
    fast = withPoint(fast, kilowatts, middle - volts, FAST_KEEPS);
    slow = withPoint(slow, kilowatts, middle - volts, SLOW_KEEPS);
  }
  return { fast, slow };
}

function dropChange({
  fast,
  slow,
}: MeterHistory["drop"]): (Pick<PlausibilityFinding, "confidence" | "data"> & { readonly how: string }) | undefined {
  if (slow.n < DROP.leastPoints) return undefined;
  const [now, before] = [lineOf(fast), lineOf(slow)];
  if (now === undefined || before === undefined || before.slope <= 0) return undefined;
  const ratio = now.slope / before.slope;
  const isSteeper = Math.abs(ratio - 1) > DROP.change && now.explained > DROP.explained;
  // What it tells is not what flows through its own line any more.
  const isLoose = before.explained > DROP.close && now.explained < DROP.loosened * before.explained;
  if (!isSteeper && !isLoose) return undefined;
  const how = isLoose
    ? "does not follow its load any more as it used to"
    : `falls ${ratio.toFixed(1)} times as much with its load as it used to`;
  return {
    how,
    confidence: isLoose ? 0.7 : Math.min(1, now.explained * 2),
    data: {
      ratio,
      explained: now.explained,
      explainedBefore: before.explained,
      ohmsNow: now.slope,
      ohmsBefore: before.slope,
    },
  };
}

/**
 * P-12: what the transformer gives less what its meters take less its losses, interval by interval as far as all of them are
 * held; a share of it that stays beyond a hundredth adds up.
 */
function judgeBalance(
  name: string,
  members: readonly MemberDay[],
  own: MemberDay,
  before: TransformerHistory,
): Pick<JudgedTransformer, "findings" | "transformer"> {
  const { day, facts } = own;
  let { excess, losses } = before;
  const line = losses.n >= BALANCE.learned ? lineOf(losses) : undefined;
  const standing = (MOST_LOSSES.standing * (facts.ratedKva ?? DEFAULT_KVA) * day.periodSeconds) / 3.6;
  let [given, taken, lost, judged, atOnce] = [0, 0, 0, 0, 0];
  for (let slot = 0; slot < slotsOf(day.periodSeconds); slot += 1) {
    const out = netOf(day, slot);
    const all = members.reduce((sum, member) => sum + netOf(member.day, slot), 0);
    if (Number.isNaN(out) || Number.isNaN(all) || out <= 0) continue;
    const most = standing + MOST_LOSSES.flowing * out;
    const loss = line === undefined ? 0 : Math.min(most, Math.max(0, line.start + line.slope * out * out));
    const unexplained = out - all - loss;
    const unknown = line === undefined ? most : 0;
    const error = CLASS.transformer * out + CLASS.home * Math.abs(all) + BALANCE.atOnce * out + unknown;
    if (Math.abs(unexplained) > error) atOnce += 1;
    // Losses are learned of what is sound alone: what is taken besides is none.
    else losses = withPoint(losses, out * out, out - all, BALANCE.keeps);
    excess = Math.max(0, excess + (unexplained - unknown) / out - BALANCE.slack);
    given += out;
    taken += all;
    lost += loss;
    judged += 1;
  }
  const transformer = { day: day.day, excess: Math.min(excess, 4 * BALANCE.alarm), losses };
  const isMuch = atOnce >= Math.max(4, judged / 8);
  if (judged === 0 || !(isMuch || excess > BALANCE.alarm)) return { findings: [], transformer };
  const missing = given - taken - lost;
  const share = (missing / given) * 100;
  const sentence = `Transformer ${name} gave ${kilo(given)}, its meters took ${kilo(taken)}: ${kilo(missing)} (${share.toFixed(1)} %) are neither counted nor lost.`;
  return {
    transformer,
    findings: [
      {
        rule: "P-12",
        subject: { kind: "transformer", transformer: name },
        stretch: { from: day.day, to: day.day + DAY_MILLISECONDS },
        confidence: isMuch ? 1 : 0.7,
        sentence,
        data: { givenWh: given, takenWh: taken, lossesWh: lost, excess, intervals: judged, beyondAtOnce: atOnce },
      },
    ],
  };
}

import type { MeterId } from "../inventory/meter.ts";
import type { PlausibilityFinding } from "../plausibility/finding.ts";
import {
  type MeterHistory,
  NO_HISTORY,
  NO_TRANSFORMER_HISTORY,
  type TransformerHistory,
} from "../plausibility/history.ts";
import type { EnergyDay, MeterDay } from "../plausibility/meter-day.ts";
import type { MeterFacts } from "../plausibility/meter-facts.ts";
import { judgeMeterDay } from "../plausibility/meter-rules.ts";
import { judgeTransformerDay } from "../plausibility/transformer-rules.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";

export const SLOTS = 96;

/** What somebody makes of a street's true day before it is told: energies by home, Wh of each quarter of an hour. */
export type Fraud = (told: Float64Array[], day: number, before: readonly Float64Array[]) => void;

/** Numbers in [0, 1) that are the same each time. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * A street of homes at one transformer, day by day: each home has habits and noise, voltage falls along the line with what truly
 * flows, and the transformer's meter counts that and its losses. Its days are judged as a head-end does.
 */
export class SyntheticStreet {
  readonly #random: () => number;
  readonly #homes: readonly {
    readonly base: number;
    readonly peak: number;
    readonly at: number;
    readonly ohms: number;
  }[];
  readonly #registers: number[];
  #histories: readonly MeterHistory[];
  #transformer: TransformerHistory = NO_TRANSFORMER_HISTORY;
  #before: Float64Array[] = [];
  #day = Date.parse("2026-03-02T00:00:00Z");

  constructor(homes: number, seed: number) {
    this.#random = numbers(seed);
    this.#homes = Array.from({ length: homes }, () => ({
      base: 25 + 40 * this.#random(),
      peak: 150 + 350 * this.#random(),
      at: 60 + Math.floor(24 * this.#random()),
      ohms: 0.3 + 0.5 * this.#random(),
    }));
    this.#histories = this.#homes.map(() => NO_HISTORY);
    this.#registers = this.#homes.map(() => 1_000_000);
  }

  /** Lets a day pass and judges what is told of it. */
  pass(
    fraud: Fraud = () => undefined,
    lie: (volts: readonly Float64Array[]) => void = () => undefined,
  ): readonly PlausibilityFinding[] {
    const real = this.#homes.map((home) => this.#consumption(home));
    const told = real.map((energy) => energy.slice());
    fraud(told, this.#day, this.#before);
    const volts = this.#voltages(real);
    lie(volts);
    const findings: PlausibilityFinding[] = [];
    const members = told.map((energy, n) => {
      const start = this.#registers[n] as number;
      const day = this.#meterDay(energy, start, volts[n] as Float64Array);
      this.#registers[n] = day.drawn.register?.at(-1) as number;
      const facts = this.#facts(n, start, this.#registers[n] as number);
      const judged = judgeMeterDay(day, facts, this.#histories[n] as MeterHistory);
      findings.push(...judged.findings);
      return { day, facts, history: judged.history };
    });
    const out = Float64Array.from({ length: SLOTS }, (_, slot) => {
      const sum = real.reduce((all, energy) => all + (energy[slot] as number), 0);
      return Math.round(sum + 80 + 1e-6 * sum * sum);
    });
    const own = {
      day: this.#meterDay(out, 0, new Float64Array(SLOTS).fill(Number.NaN)),
      facts: { ...this.#facts(999, 0, 0), role: "transformer" as const, ratedKva: 160, registers: [] },
      history: NO_HISTORY,
    };
    const judged = judgeTransformerDay("T1", members, own, this.#transformer);
    findings.push(...judged.findings);
    this.#histories = judged.histories;
    this.#transformer = judged.transformer;
    this.#before = told;
    this.#day += DAY_MILLISECONDS;
    return findings;
  }

  #consumption({
    base,
    peak,
    at,
  }: {
    readonly base: number;
    readonly peak: number;
    readonly at: number;
  }): Float64Array {
    const level = 0.85 + 0.3 * this.#random();
    return Float64Array.from({ length: SLOTS }, (_, slot) => {
      const evening = peak * Math.exp(-(((slot - at) / 10) ** 2));
      return Math.round(level * (base + evening) * (0.6 + 0.8 * this.#random()));
    });
  }

  /** Mean voltages: the whole street's load on the common line, and each home's own on its own. */
  #voltages(real: readonly Float64Array[]): readonly Float64Array[] {
    const common = Float64Array.from({ length: SLOTS }, (_, slot) => {
      const watts = 4 * real.reduce((all, energy) => all + (energy[slot] as number), 0);
      return 234 - (0.02 * watts) / 230 + 0.4 * (this.#random() - 0.5);
    });
    return real.map((energy, n) =>
      energy.map((wattHours, slot) => {
        const amperes = (4 * wattHours) / 230;
        const volts = (common[slot] as number) - (this.#homes[n]?.ohms ?? 0) * amperes;
        return Math.round((volts + 0.2 * (this.#random() - 0.5)) * 10) / 10;
      }),
    );
  }

  #meterDay(energy: Float64Array, start: number, voltage: Float64Array): MeterDay {
    let register = start;
    const drawn: EnergyDay = {
      energy,
      register: energy.map((wattHours) => {
        register += wattHours;
        return register;
      }),
      registerBefore: start,
    };
    const none = new Float64Array(SLOTS).fill(Number.NaN);
    const fed = { energy: none, register: undefined, registerBefore: undefined };
    return { day: this.#day, periodSeconds: 900, drawn, fed, voltage };
  }

  #facts(n: number, start: number, end: number): MeterFacts {
    const point = { direction: "drawn", source: "session" } as const;
    return {
      meter: (n + 1) as MeterId,
      label: `Home ${n + 1}`,
      role: "home",
      phases: 1,
      ratedKva: undefined,
      ratios: {},
      registers: [
        { ...point, at: this.#day, wattHours: start },
        { ...point, at: this.#day + DAY_MILLISECONDS, wattHours: end },
      ],
      open: [],
      supplied: true,
      voltage: 231,
      times: { contradicted: 0, offGrid: 0, absent: 0 },
    };
  }
}

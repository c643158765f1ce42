/** Which meters the list and the diagram single out. */
import type { MeterSummary } from "@meterkeep/api";
import { type Stage, stageOf } from "./stage.ts";

export interface MeterFilter {
  readonly text?: string | undefined;
  readonly stage?: Stage | undefined;
  readonly supply?: MeterSummary["supply"] | undefined;
  readonly feeder?: string | undefined;
}

export function isEmptyFilter({ text, stage, supply, feeder }: MeterFilter): boolean {
  return (text ?? "") === "" && stage === undefined && supply === undefined && feeder === undefined;
}

/** The text that words are sought in, made once for each line of a meter: of five thousand, a key that is typed changes none. */
export class Haystacks {
  readonly #texts = new WeakMap<MeterSummary, string>();

  of(meter: MeterSummary): string {
    const known = this.#texts.get(meter);
    if (known !== undefined) return known;
    const { label, systemTitle, profile, feeder = "", trust, supply, kind, stale } = meter;
    const text = `${label} ${systemTitle} ${profile} ${feeder} ${trust} ${supply} ${kind} ${stale ? "stale" : ""}`;
    const folded = text.toLowerCase();
    this.#texts.set(meter, folded);
    return folded;
  }
}

/** The meters that fit: words of `text` must each occur in label, system title, profile, feeder, trust or supply, the rest exactly. */
export function select(
  filter: MeterFilter,
  meters: readonly MeterSummary[],
  haystacks: Haystacks,
): readonly MeterSummary[] {
  if (isEmptyFilter(filter)) return meters;
  const { stage, supply, feeder } = filter;
  const words = (filter.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return meters.filter((meter) => {
    if (stage !== undefined && stageOf(meter) !== stage) return false;
    if (supply !== undefined && meter.supply !== supply) return false;
    if (feeder !== undefined && meter.feeder !== feeder) return false;
    if (words.length === 0) return true;
    const text = haystacks.of(meter);
    return words.every((word) => text.includes(word));
  });
}

/** Dark homes and quarantined meters come first; the rest keeps its order, so that rows do not move while they are read. */
export function attentionFirst(meters: readonly MeterSummary[]): readonly MeterSummary[] {
  const needs = (meter: MeterSummary) => meter.supply === "disconnected" || stageOf(meter) === "quarantined";
  return [...meters.filter(needs), ...meters.filter((meter) => !needs(meter))];
}

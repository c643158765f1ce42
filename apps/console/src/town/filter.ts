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

/** Words of `text` must each occur in label, system title, profile, feeder, trust or supply; the rest must match exactly. */
export function matches(filter: MeterFilter, meter: MeterSummary): boolean {
  if (filter.stage !== undefined && stageOf(meter) !== filter.stage) return false;
  if (filter.supply !== undefined && meter.supply !== filter.supply) return false;
  if (filter.feeder !== undefined && meter.feeder !== filter.feeder) return false;
  const text = filter.text?.trim().toLowerCase() ?? "";
  if (text === "") return true;
  const hay = [
    meter.label,
    meter.systemTitle,
    meter.profile,
    meter.feeder ?? "",
    meter.trust,
    meter.supply,
    meter.kind,
    meter.stale ? "stale" : "",
  ]
    .join(" ")
    .toLowerCase();
  return text.split(/\s+/).every((word) => hay.includes(word));
}

/** Dark homes and quarantined meters come first; the rest keeps its order, so that rows do not move while they are read. */
export function attentionFirst(meters: readonly MeterSummary[]): readonly MeterSummary[] {
  const needs = (meter: MeterSummary) => meter.supply === "disconnected" || stageOf(meter) === "quarantined";
  return [...meters.filter(needs), ...meters.filter((meter) => !needs(meter))];
}

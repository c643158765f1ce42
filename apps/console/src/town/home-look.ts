/** What a home looks like, as the classes of its mark: one table for homes drawn one by one and for those drawn together. */
import type { MeterSummary } from "@meterkeep/api";
import { TRUST_LOOKS } from "./trust.ts";

/** Facts that the look of a home rests on. */
export type HomeFacts = Pick<MeterSummary, "trust" | "supply" | "stale" | "takeover">;

export function homeClasses({ trust, supply, stale, takeover }: HomeFacts, dimmed: boolean): string {
  const busy = takeover === "under-way" || takeover === "probing";
  return ["home", `tone-${TRUST_LOOKS[trust].tone}`, supply, dimmed && "dimmed", stale && "stale", busy && "busy"]
    .filter((name) => name !== false)
    .join(" ");
}

/** Supply once more in shape, for eyes that do not see the fill: a bar through the dark ones, a point in the unknown. Relative to the middle. */
export function supplyPath(supply: MeterSummary["supply"], radius: number): string {
  if (supply === "connected") return "";
  if (supply === "disconnected") {
    const r = hundredths(radius * 0.42);
    return `m${-r} ${r}l${2 * r} ${-2 * r}`;
  }
  const r = hundredths(radius * 0.2);
  return `m${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

function hundredths(lengthPx: number): number {
  return Math.round(lengthPx * 100) / 100;
}

/** A stroke below a stale one. */
export function stalePath(radius: number): string {
  return `m${-radius} ${hundredths(radius + Math.min(4, radius / 2))}h${radius * 2}`;
}

/** How far the second outline of those with a double one stands from the middle. */
export function outerRadius(radius: number): number {
  return radius + 2.6;
}

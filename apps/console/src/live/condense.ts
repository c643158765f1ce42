/**
 * Two hundred meters read every quarter of an hour of town time say two hundred times the same. Equal calm lines become one that counts;
 * a warning always stands alone.
 */
import type { RecentEvent } from "@meterkeep/api";

import { withoutName } from "./about.ts";

export interface EventGroup {
  /** The newest of them. */
  readonly event: RecentEvent;
  readonly count: number;
}

/** Lines within this of the newest of their kind are counted with it. */
const TOGETHER_MS = 60_000;

/** Groups lines that are newest first; which meter a sentence names makes no difference. The order is that of each group's newest line. */
export function condense(
  lines: readonly RecentEvent[],
  nameOf: (meter: string) => string | undefined,
): readonly EventGroup[] {
  const groups: { event: RecentEvent; count: number; newest: number }[] = [];
  const open = new Map<string, (typeof groups)[number]>();
  for (const event of lines) {
    const said = event.meter === undefined ? event.sentence : withoutName(event.sentence, nameOf(event.meter));
    const key = `${event.type} ${skeleton(said)}`;
    const at = Date.parse(event.at);
    const group = event.severity === "warning" ? undefined : open.get(key);
    if (group !== undefined && group.newest - at <= TOGETHER_MS) {
      group.count += 1;
      continue;
    }
    const fresh = { event, count: 1, newest: at };
    groups.push(fresh);
    if (event.severity !== "warning") open.set(key, fresh);
  }
  return groups.map(({ event, count }) => ({ event, count }));
}

/** The sentence without its numbers: `Read 5 registers` and `Read 6 registers` are of a kind. */
function skeleton(sentence: string): string {
  return sentence.replace(/\d[\d\s.,:]*/g, "#").replace(/s\b/g, "");
}

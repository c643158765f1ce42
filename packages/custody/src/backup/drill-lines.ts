import type { MeterHolding } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import type { Caller } from "../calls/caller.ts";
import type { Custody } from "../service/custody.ts";

export const DRILL: Caller = { name: "drill", role: "operator" };
const COUNTERS_AT_ONCE = 64;

/** Says what a drill has found. */
export type Find = (what: string, passed: boolean, detail: string) => void;

/** A line of counters of a meter; of its first security setup unless another is named. */
export interface Line {
  readonly meter: MeterHolding["meter"];
  readonly setup: number | undefined;
  /** The lowest that nobody has reserved. */
  readonly nextCounter: number;
}

export interface Taken {
  readonly line: Line;
  readonly first: number;
  readonly count: number;
}

export function linesOf(now: readonly MeterHolding[]): readonly Line[] {
  return now.flatMap(({ meter, nextCounter, further }) => [
    { meter, setup: undefined, nextCounter },
    ...further.map((one) => ({ meter, ...one })),
  ]);
}

/** Takes counters of every line of a restored custody. */
export async function takenCounters({ service }: Custody, lines: readonly Line[]): Promise<readonly Taken[]> {
  const taken: Taken[] = [];
  for (const [setup, own] of Map.groupBy(lines, (line) => line.setup))
    for (let at = 0; at < own.length; at += COUNTERS_AT_ONCE) {
      const page = own.slice(at, at + COUNTERS_AT_ONCE);
      const meters = page.map(({ meter }) => meter);
      const { counters } = await service.drillCounters({ meters, setup }, DRILL);
      taken.push(...counters.map(({ first, count }, index) => ({ line: page[index] as Line, first, count })));
    }
  return taken;
}

/** Those that are not above what their line says has been reserved. */
export function reusedCounters(taken: readonly Taken[]): string[] {
  return taken.flatMap(({ line: { meter, setup, nextCounter }, first }) => {
    const where = setup === undefined ? "" : `, security setup ${setup}`;
    return first < nextCounter ? [`${systemTitleText(meter)}${where} (${first}, used up to ${nextCounter})`] : [];
  });
}

/** Has a standby take over while the restored custodian is open: as from one that hangs, and wakes up. */
export async function failOver(
  former: Custody,
  standBy: () => Promise<{ readonly custody: Custody; close(): Promise<void> }>,
  lines: readonly Line[],
  find: Find,
): Promise<void> {
  const before = await takenCounters(former, lines);
  const above = before.map(({ line, first, count }): Line => ({ ...line, nextCounter: first + count }));
  const standby = await standBy();
  try {
    // Whatever it says to that: it gives out none.
    const late = await takenCounters(former, lines.slice(0, 1)).catch(() => []);
    const reused = reusedCounters(await takenCounters(standby.custody, above));
    const wrong = [...late.map(() => "the former one still gives out counters"), ...reused];
    find(
      "a standby takes over and uses no counter again",
      wrong.length === 0,
      wrong.length === 0 ? `${lines.length} lines, and the former one gives out no more` : wrong.slice(0, 5).join(", "),
    );
  } finally {
    await standby.close();
  }
}

import type { TownRequest } from "../town-control.ts";

/** Any one of some. */
export const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T;
/** The same, in an order of chance. */
export function shuffled<T>(of: readonly T[]): T[] {
  const left = [...of];
  return of.map(() => left.splice(below(left.length), 1)[0] as T);
}
const below = (limit: number): number => Math.floor(Math.random() * limit);

/** How far a clock jumps: what is let be, corrected, and an incident (`CLOCK_LIMITS`), both ways; AMI.19. */
const CLOCK_JUMPS_SECONDS = [3, -3, 40, -40, 600, -600, 3_600, -3_600] as const;
/** How far a counter goes ahead of what the custodian knows: within what is believed of a hint (`commit-step.ts`). */
const MOST_COUNTER_JUMP = 400;
const MOST_BITS = 4_096;

/** What is wrong with a meter or its line for a moment. */
export const METER_FAULTS: Readonly<Record<string, (meter: string, lastReceivedCounter: number) => TownRequest>> = {
  "late answer": (meter) => ({ do: "fault", meter, fault: "delay", amount: 2_000, times: 3 }),
  "no answer": (meter) => ({ do: "fault", meter, fault: "drop", times: 2 }),
  "answers in another order": (meter) => ({ do: "fault", meter, fault: "reorder", times: 1, after: below(6) }),
  "answer twice": (meter) => ({ do: "fault", meter, fault: "duplicate", times: 3, after: below(6) }),
  "answer cut": (meter) => ({ do: "fault", meter, fault: "truncate", amount: below(40), times: 1, after: below(6) }),
  "wrong bit in an answer": (meter) => ({
    do: "fault",
    meter,
    fault: "flip",
    amount: below(MOST_BITS),
    times: 2,
    after: below(6),
  }),
  "wrong bit in a request": (meter) => ({
    do: "fault",
    meter,
    fault: "flip-request",
    amount: below(MOST_BITS),
    times: 2,
    after: below(6),
  }),
  "connection reset": (meter) => ({ do: "fault", meter, fault: "reset", times: 2, after: below(6) }),
  "power lost before it is done": (meter) => ({ do: "fault", meter, fault: "crash-before", times: 1, after: below(6) }),
  "power lost after it is done": (meter) => ({ do: "fault", meter, fault: "crash-after", times: 1, after: below(6) }),
  "power cycle": (meter) => ({ do: "power-cycle", meter }),
  "clock jump": (meter) => ({ do: "roll-clock", meter, seconds: any(CLOCK_JUMPS_SECONDS) }),
  "counter ahead": (meter, last) => ({ do: "roll-counter", meter, to: last + 1 + below(MOST_COUNTER_JUMP) }),
  "requests heard before, sent again": (meter) => ({ do: "replay", meter }),
  alarm: (meter) => ({ do: "push", meter, kind: "alarm" }),
};

/** The town's clock between two messages of the server: simulated time may run faster than the wall's. */
import type { ClockView } from "@meterkeep/api";

export interface ClockBase {
  /** Town time at `heardAt`, ms since 1970. */
  readonly townMs: number;
  readonly factor: number;
  readonly simulated: boolean;
  /** This machine's clock when the message came, ms: the server's wall clock may differ from it. */
  readonly heardAt: number;
}

export function clockBase(
  clock: Pick<ClockView, "now" | "factor"> & { simulated?: boolean },
  heardAt: number,
): ClockBase {
  return {
    townMs: Date.parse(clock.now),
    factor: clock.factor,
    simulated: clock.simulated ?? clock.factor !== 1,
    heardAt,
  };
}

/** Town time at `nowMs` of this machine. */
export function townTime(base: ClockBase, nowMs: number): number {
  return base.townMs + Math.max(0, nowMs - base.heardAt) * base.factor;
}

/** `simulated, time runs 60x`, or that it is the wall's time. */
export function clockLabel({ simulated, factor }: Pick<ClockBase, "simulated" | "factor">): string {
  if (!simulated) return "wall clock";
  return factor === 1 ? "simulated, real time" : `simulated, time runs ${factor}x`;
}

import { clockOff } from "../reading/misdated.ts";
import type { IntervalRecord, ReadResult, RegisterRecord } from "../reading/result.ts";
import type { RegisterSnapshot } from "../session/meter-reader.ts";
import { type ClockCheck, checkClock } from "../time/clock-check.ts";
import type { OperationSession } from "./operation.ts";

/** Registers beside the meter's clock, and how far that is off; undefined where it does not know the time. */
export interface SnapshotByClock {
  readonly snapshot: RegisterSnapshot;
  readonly check: ClockCheck | undefined;
}

type On = Pick<OperationSession, "reader" | "clock" | "now">;

/** Reads registers, none for the clock alone. */
export async function snapshotByClock(on: On, registers: readonly string[]): Promise<SnapshotByClock> {
  const sent = on.clock.atSource(on.now());
  const snapshot = await on.reader.snapshot(registers);
  const received = on.clock.atSource(on.now());
  return { snapshot, check: snapshot.clock === undefined ? undefined : checkClock(snapshot.clock, sent, received) };
}

/** What is stored of a reading on demand: as a session would have it, disputed where a clock that is off has dated it (P-8). */
export function storedRead(
  { snapshot: { clock: clockShown }, check }: SnapshotByClock,
  {
    intervals = [],
    registers = [],
    ...more
  }: {
    readonly intervals?: readonly IntervalRecord[];
    /** Of the profile that the intervals are from. */
    readonly periodSeconds?: number;
    readonly registers?: readonly RegisterRecord[];
  },
): Partial<ReadResult> {
  const off = clockOff(check, clockShown);
  return {
    intervals,
    registers,
    ...more,
    ...(off === undefined ? {} : { clockOff: off }),
    ...(check === undefined ? {} : { clockOffsetSeconds: check.certainSeconds }),
  };
}

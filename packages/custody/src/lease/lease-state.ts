import type { LeasedMeterState, LeaseState } from "@meterkeep/api/custodian";
import type { CheckedFiles } from "../records/checked-files.ts";
import { rotationStateOf } from "../rotation/view.ts";
import type { RecordedLease } from "./field-record.ts";
import type { LeasedMeter, LeaseTerms } from "./lease-file.ts";
import { rotatedAt } from "./lent-rotation.ts";

const HOUR_MILLISECONDS = 3_600_000;
/** A report has many meters: the whole sentence is in the state of the rotation. */
const MOST_SENTENCE = 200;

interface StateDependencies {
  readonly files: Pick<CheckedFiles, "load">;
  readonly now: () => number;
}

/** How a lease and each of its meters stand: those that are still open first, the riskiest before the others. */
export async function leaseState(
  dependencies: StateDependencies,
  { terms, state }: RecordedLease,
): Promise<LeaseState> {
  const { lease, handheld, technician, from, until, operations } = terms;
  const meters = await Promise.all(terms.meters.map((leased) => meterState(dependencies, leased, terms)));
  meters.sort(
    (one, other) =>
      Number(one.rotatedAt !== undefined) - Number(other.rotatedAt !== undefined) ||
      (other.risk ?? 0) - (one.risk ?? 0),
  );
  const meterHours = inTenths(meters.reduce((sum, { exposedHours }) => sum + exposedHours, 0));
  return { lease, handheld, technician, from, until, operations, state, meters, meterHours };
}

async function meterState(
  { files, now }: StateDependencies,
  leased: LeasedMeter,
  { from }: LeaseTerms,
): Promise<LeasedMeterState> {
  const file = await files.load(leased.meter);
  const at = rotatedAt(file, leased);
  const rotation = file === undefined ? undefined : rotationStateOf(file);
  // One that was over before the lease is no answer to it.
  const isAfter = rotation !== undefined && (rotation.endedAt === undefined || rotation.endedAt > from);
  const end = at ?? now();
  return {
    meter: leased.meter,
    label: leased.label,
    exposedHours: inTenths(Math.max(0, end - from) / HOUR_MILLISECONDS),
    ...(at !== undefined && { rotatedAt: at }),
    ...(isAfter && {
      risk: rotation.risk,
      phase: rotation.phase,
      sentence: rotation.sentence.slice(0, MOST_SENTENCE),
    }),
  };
}

function inTenths(hours: number): number {
  return Math.round(hours * 10) / 10;
}

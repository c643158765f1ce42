import type { LeasedMeterState, LeaseState } from "@meterkeep/api/custodian";
import type { CheckedFiles } from "../records/checked-files.ts";
import { rotationStateOf } from "../rotation/view.ts";
import { journalWord, loggedWord, type RecordedLease, standingOf } from "./field-record.ts";
import type { LeasedMeter } from "./lease-file.ts";
import { rotatedAt } from "./lent-rotation.ts";
import { reconciled } from "./reconciliation.ts";

const HOUR_MILLISECONDS = 3_600_000;
/** A report has many meters: the whole sentence is in the state of the rotation. */
const MOST_SENTENCE = 200;

interface StateDependencies {
  readonly files: Pick<CheckedFiles, "load">;
  readonly now: () => number;
}

/** How a lease and each of its meters stand: those that are still open first, the riskiest before the others. */
export async function leaseState(dependencies: StateDependencies, recorded: RecordedLease): Promise<LeaseState> {
  const { terms } = recorded;
  const { lease, handheld, technician, from, until, operations } = terms;
  const state = standingOf(recorded);
  const disputes = recorded.disputes.map(({ of, why }) => (of === undefined ? why : `${of}: ${why}`));
  const meters = await Promise.all(terms.meters.map((leased) => meterState(dependencies, leased, recorded)));
  meters.sort(
    (one, other) =>
      Number(one.rotatedAt !== undefined) - Number(other.rotatedAt !== undefined) ||
      (other.risk ?? 0) - (one.risk ?? 0),
  );
  const meterHours = inTenths(meters.reduce((sum, { exposedHours }) => sum + exposedHours, 0));
  return { lease, handheld, technician, from, until, operations, state, disputes, meters, meterHours };
}

async function meterState(
  { files, now }: StateDependencies,
  leased: LeasedMeter,
  lease: RecordedLease,
): Promise<LeasedMeterState> {
  const { from } = lease.terms;
  const file = await files.load(leased.meter);
  const at = rotatedAt(file, leased);
  const rotation = file === undefined ? undefined : rotationStateOf(file);
  // One that was over before the lease is no answer to it.
  const isAfter = rotation !== undefined && (rotation.endedAt === undefined || rotation.endedAt > from);
  const end = at ?? now();
  const compared = {
    leased,
    journal: journalWord(lease, leased.meter),
    read: lease.reads.get(leased.meter),
    answers: lease.answers.get(leased.meter),
    isRotated: at !== undefined,
  };
  return {
    meter: leased.meter,
    label: leased.label,
    exposedHours: inTenths(Math.max(0, end - from) / HOUR_MILLISECONDS),
    ...(at !== undefined && { rotatedAt: at }),
    ...(lease.state !== "open" && { counted: reconciled(compared), logged: loggedWord(lease, leased, now()) }),
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

import { DAY_MILLISECONDS } from "../day.ts";
import { stateChange } from "../keys/key-state-change.ts";
import { mayBecome } from "../keys/key-transition.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Committer } from "../store/committer.ts";
import { FIRST_SETUP, type MeterFile, PURPOSE } from "../store/records.ts";
import { CAUSE_RISK, LOST_HANDHELD_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Candidate } from "../takeover/candidates.ts";
import { openRotation } from "../takeover/plan.ts";
import { isInService } from "../takeover/view.ts";
import { type RecordedLease, standingOf } from "./field-record.ts";
import type { LeasedMeter } from "./lease-file.ts";
import type { LentMeters } from "./lent-meters.ts";

const WORKING = [PURPOSE.GUEK, PURPOSE.GAK, PURPOSE.GBEK] as const;
/** A lost handheld before all that is planned otherwise; within each, by the age of the keys. */
const RISK = { exposure: CAUSE_RISK.exposure, compromise: LOST_HANDHELD_RISK } as const;
/** Five years, the longest crypto-period: age never lifts a return over a loss. */
const MOST_DAYS = 1826;

/** What the keys of a lease are replaced with. */
export interface LentRotationDependencies {
  readonly store: Pick<CustodyStore, "rotations">;
  readonly files: Pick<CheckedFiles, "load">;
  readonly committer: Pick<Committer, "submit">;
  readonly lentMeters: Pick<LentMeters, "rotated">;
  readonly now: () => number;
}

/**
 * New working keys for those meters of a lease that have none yet and no plan for them, as what became of the lease asks for. The
 * master was never lent. Where one meter has counted what no journal explains all of its lease go first, and its own keys are
 * compromised at once: the others', for what anybody on that one line can say, are not.
 *
 * @returns whether nothing is left to be done: each meter has proven other keys since, or has left
 */
export async function rotateLent(
  { store, now, committer, files, lentMeters }: LentRotationDependencies,
  lease: RecordedLease,
  reason: string,
): Promise<boolean> {
  const { terms, disputes } = lease;
  const standing = standingOf(lease);
  const cause = standing === "lost" || standing === "disputed" ? "compromise" : "exposure";
  const isAll = standing === "lost" || disputes.some(({ of }) => of === undefined);
  const at = now();
  const behind: MeterFile[] = [];
  const lentOf = new Map(terms.meters.map((leased) => [leased.meter, leased]));
  for (const leased of terms.meters) {
    const file = await files.load(leased.meter);
    if (file !== undefined && rotatedAt(file, leased) === undefined) behind.push(file);
    else lentMeters.rotated(terms.lease, leased.meter);
  }
  const suspected = behind.filter(({ meter }) => isAll || disputes.some(({ of }) => of === meter.systemTitle));
  // At once, and also where a rotation that is open keeps another from being planned.
  if (cause === "compromise") await compromiseLent({ committer, now }, suspected, lentOf, reason);
  let planned = 0;
  for (const file of behind.filter((one) => !isPlanned(one, cause)))
    planned += await store.rotations.plan({
      meters: [file.meter.systemTitle],
      madeBefore: undefined,
      countAbove: undefined,
      purposes: WORKING,
      cause,
      risk: RISK[cause] + daysInUse(file, lentOf.get(file.meter.systemTitle) as LeasedMeter, at),
      plannedBy: "lease",
      at,
      limit: 1,
    });
  if (planned > 0)
    await committer.submit({
      entries: [installationEntry(at, "rotations-planned", "lease", { cause, planned, reason })],
    });
  return behind.every(({ meter }) => !isInService(meter));
}

/** Whether nothing would come of planning it once more. */
function isPlanned(file: MeterFile, cause: keyof typeof RISK): boolean {
  const rotation = openRotation(file);
  if (rotation === undefined) return false;
  return rotation.begunAt !== undefined || cause === "exposure" || rotation.risk >= RISK[cause];
}

/** The keys that were lent and may still be on their meters are compromised from now on. */
async function compromiseLent(
  { committer, now }: Pick<LentRotationDependencies, "committer" | "now">,
  behind: readonly MeterFile[],
  lentOf: ReadonlyMap<string, LeasedMeter>,
  reason: string,
): Promise<void> {
  for (const { meter, keys } of behind) {
    const leased = lentOf.get(meter.systemTitle);
    const lent = keys.filter(
      ({ setup, purpose, version, state }) =>
        setup === FIRST_SETUP &&
        ((purpose === PURPOSE.GUEK && version === leased?.GUEK) ||
          (purpose === PURPOSE.GAK && version === leased?.GAK)) &&
        state !== "compromised" &&
        mayBecome(state, "compromised"),
    );
    if (lent.length > 0) await committer.submit(stateChange(lent, "compromised", "lease", now(), reason));
  }
}

/** When both keys that were lent had a successor that the meter has proven. */
export function rotatedAt(file: MeterFile | undefined, { GUEK, GAK }: Candidate): number | undefined {
  const proven = (purpose: number, version: number): number =>
    Math.min(
      ...(file?.keys ?? [])
        .filter((key) => key.setup === FIRST_SETUP && key.purpose === purpose && key.version > version)
        .flatMap(({ provenAt }) => provenAt ?? []),
    );
  const at = Math.max(proven(PURPOSE.GUEK, GUEK), proven(PURPOSE.GAK, GAK));
  return Number.isFinite(at) ? at : undefined;
}

/** The longer a key was in use, the more of what was recorded it opens: of two lost ones the older goes first. */
function daysInUse({ keys }: MeterFile, { GUEK }: Pick<LeasedMeter, "GUEK">, at: number): number {
  const key = keys.find(
    ({ setup, purpose, version }) => setup === FIRST_SETUP && purpose === PURPOSE.GUEK && version === GUEK,
  );
  const since = key?.provenAt ?? key?.createdAt ?? at;
  return Math.min(MOST_DAYS, Math.max(0, Math.floor((at - since) / DAY_MILLISECONDS)));
}

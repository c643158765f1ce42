import { type ExposedMeter, MAX_PAGE_EXPOSED, type PlanRotations, type RepeatWay } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import { canBeEnrolled } from "../enrolment/view.ts";
import type { CheckedFiles, CheckedPage } from "../records/checked-files.ts";
import { filePages } from "../records/file-pages.ts";
import type { MeterFile } from "../store/records.ts";
import { ALL_PURPOSES, CAUSE_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";
import { besideFirst, takeoverStateOf } from "../takeover/meter-state.ts";
import { openRotation } from "../takeover/plan.ts";
import { journalOf } from "../takeover/view.ts";

/** What each organisation in a taint set adds to the risk: with as many as there may be it stays below what is restored or compromised. */
const HOLDER_RISK = 24;

/** What repeats of takeovers are found and planned with. */
export interface RepeatDependencies {
  readonly files: Pick<CheckedFiles, "nextPage">;
  readonly store: { readonly rotations: Pick<CustodyStore["rotations"], "plan"> };
  /** Whether a meter and we could agree on a master now. */
  readonly canAgree: (file: MeterFile) => Promise<boolean>;
  readonly now: () => number;
}

/** Refuses what no repeat of a takeover is. @throws CallRefusal `request-malformed` */
export function requireRepeatable({ grade, cause, purposes, madeBefore }: PlanRotations): void {
  if (grade === undefined || (cause === "exposure" && purposes.length === 0 && madeBefore === undefined)) return;
  throw new CallRefusal(
    "request-malformed",
    `a takeover that is graded ${grade} is repeated with all keys, for exposure, whatever their age`,
  );
}

/** Meters of a page whose takeover is graded exposed. The grade is worked out of each meter's journal, whose MAC was checked. */
export async function exposedIn({ files }: Pick<CheckedPage, "files">, canAgree: RepeatDependencies["canAgree"]) {
  const found: ExposedMeter[] = [];
  for (const file of files) {
    const { meter, phase, grade, holders } = takeoverStateOf(file);
    if (phase === "done" && grade === "exposed") found.push({ meter, holders, way: await wayOf(file, canAgree) });
  }
  return found;
}

/**
 * New keys for meters whose takeover is graded exposed, where an agreement can be had, those first whose factory keys most
 * organisations could have held. The others are left as they are: a key change under exposed keys is one more that their
 * holders can read. A meter whose change is open is among those asked for and in none of the other numbers.
 */
export async function planRepeats(
  { files, store, canAgree, now }: RepeatDependencies,
  titles: readonly string[],
  plannedBy: string,
): Promise<{ readonly planned: number; readonly asked: number; readonly unable: number }> {
  const counts = { planned: 0, asked: 0, unable: 0 };
  for await (const page of filePages(files, titles, MAX_PAGE_EXPOSED)) {
    const found = await exposedIn(page, canAgree);
    counts.asked += found.length;
    counts.unable += found.filter(({ way }) => way !== "agreement" && way !== "under-way").length;
    const able = found.filter(({ way }) => way === "agreement");
    for (const [holders, meters] of Map.groupBy(able, (one) => one.holders.length))
      counts.planned += await store.rotations.plan({
        meters: meters.map(({ meter }) => systemTitleText(meter)),
        madeBefore: undefined,
        countAbove: undefined,
        purposes: ALL_PURPOSES,
        cause: "exposure",
        risk: CAUSE_RISK.exposure + HOLDER_RISK * holders,
        isAgeless: true,
        plannedBy,
        at: now(),
        limit: meters.length,
      });
  }
  return counts;
}

async function wayOf(file: MeterFile, canAgree: RepeatDependencies["canAgree"]): Promise<RepeatWay> {
  const { journal, record } = journalOf(file);
  if (openRotation(file) !== undefined || record?.closedAt === undefined) return "under-way";
  const beside = besideFirst(file);
  // Whatever its first keys came of, the factory's of the other setups open it.
  if (beside.open.length > 0) return "setups";
  // Masters of other setups are not agreed on: who held the factory's may have read their change.
  if (beside.grade === "exposed" || journal.agreement?.state === "refused") return "visit";
  if (await canAgree(file)) return "agreement";
  return canBeEnrolled(file) ? "enrol" : "visit";
}

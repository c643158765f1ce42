import type {
  CampaignState,
  CampaignSummary,
  CampaignTarget,
  CampaignTargetDetail,
  CampaignView,
  CommandReason,
  DryRun,
  QuarantineItem,
  Selection,
  TargetState,
  Urgency,
} from "@meterkeep/api";
import { TARGET_STATES } from "@meterkeep/api";
import { commandRulesOf, type Direction, type Thresholds } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { KeptFact } from "../operation/operation.ts";

/** A campaign as its row has it. */
export interface CampaignRow {
  readonly campaign_id: string;
  readonly operation: string;
  readonly parameters: Record<string, unknown>;
  readonly words: string;
  readonly command_class: "C0" | "C1" | "C2" | "C3";
  readonly direction: Direction;
  readonly selection: Selection;
  readonly requester: string;
  readonly requester_id: string;
  readonly reason: CommandReason;
  readonly note: string;
  readonly work_order: string;
  readonly urgency: Urgency;
  readonly created_at: Date;
  readonly not_before: Date;
  readonly not_after: Date;
  readonly dry_run: DryRun;
  readonly targets: number;
  readonly load_w: string;
  readonly waves: readonly { readonly targets: number; readonly soakSeconds: number }[];
  readonly manifest_hash: string | null;
  readonly state: CampaignState;
  readonly sentence: string;
  readonly submitted: boolean;
  readonly wave: number;
  readonly wave_begun_at: Date | null;
  readonly looked_at: Date | null;
  readonly released_from: string | null;
  readonly released_by: string | null;
  /** It looks at each meter, and changes nothing. */
  readonly looks: boolean;
  /** From where it was asked; empty on this machine. */
  readonly network: string;
}

/** All columns but the manifest's octets. */
export const CAMPAIGN_COLUMNS = `campaign_id, operation, parameters, words, command_class, direction, selection, requester,
  requester_id, reason, note, work_order, urgency, created_at, not_before, not_after, dry_run, targets, load_w, waves,
  manifest_hash, state, sentence, submitted, wave, wave_begun_at, looked_at, released_from, released_by, looks, network`;

export type TargetCounts = CampaignSummary["counts"];

/** How many targets are in each state, by campaign and wave. */
export async function countTargets(
  sql: Sql,
  scope: Scope,
  campaigns: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<number, TargetCounts>>> {
  const found = await rows<{ campaign_id: string; wave: number; state: TargetState; count: string }>(
    sql,
    `select campaign_id, wave, state, count(*) from campaign_targets
     where utility_id = $1 and island_id = $2 and campaign_id = any($3::uuid[]) group by 1, 2, 3`,
    [...scope.place, campaigns],
  );
  const counts = new Map<string, Map<number, TargetCounts>>();
  for (const { campaign_id, wave, state, count } of found) {
    const waves = counts.get(campaign_id) ?? new Map<number, TargetCounts>();
    counts.set(campaign_id, waves);
    waves.set(wave, { ...(waves.get(wave) ?? NO_TARGETS), [state]: Number(count) });
  }
  return counts;
}

/** No target in any state. */
export const NO_TARGETS: TargetCounts = Object.fromEntries(TARGET_STATES.map((state) => [state, 0])) as TargetCounts;

export function summed(counts: Iterable<TargetCounts>): TargetCounts {
  const sum = { ...NO_TARGETS };
  for (const each of counts) for (const state of TARGET_STATES) sum[state] += each[state];
  return sum;
}

export function summaryOf(row: CampaignRow, counts: TargetCounts): CampaignSummary {
  return {
    id: row.campaign_id,
    operation: row.operation,
    words: row.words,
    state: row.state,
    sentence: row.sentence,
    requester: row.requester,
    reason: row.reason,
    urgency: row.urgency,
    createdAt: row.created_at.toISOString(),
    notBefore: row.not_before.toISOString(),
    notAfter: row.not_after.toISOString(),
    targets: row.targets,
    loadAtRiskW: Number(row.load_w),
    counts,
  };
}

/** Waves as people see them. */
export function wavesOf(
  { waves, wave: present, wave_begun_at, state }: CampaignRow,
  counts: ReadonlyMap<number, TargetCounts>,
): CampaignView["waves"] {
  const isOver = state === "stopped" || state === "expired";
  return waves.map(({ targets, soakSeconds }, number) => {
    const of = counts.get(number) ?? NO_TARGETS;
    const isOpen = of.waiting + of.dispatched + of.attempted + of.uncertain > 0;
    const begun = number === present && wave_begun_at !== null;
    const there = !begun
      ? "ahead"
      : isOver
        ? "stopped"
        : isOpen
          ? "under-way"
          : state === "done"
            ? "passed"
            : "watched";
    return {
      number,
      targets,
      soakSeconds,
      state: number < present ? "passed" : isOver && number > present ? "stopped" : there,
      ...(begun && { begunAt: wave_begun_at.toISOString() }),
      counts: of,
    };
  });
}

export interface TargetRow {
  readonly campaign_id: string;
  readonly meter_id: MeterId;
  readonly system_title: string;
  readonly label: string;
  readonly feeder: string;
  readonly transformer: string;
  readonly load_w: number;
  readonly wave: number;
  readonly state: TargetState;
  readonly rule: string | null;
  readonly sentence: string;
  readonly due_at: Date | null;
  readonly attempted_at: Date | null;
  readonly settled_at: Date | null;
  readonly supply: string | null;
  readonly power_w: number | null;
  readonly session_id: string | null;
}

export function targetView(row: TargetRow): CampaignTarget {
  return {
    meter: row.system_title,
    label: row.label,
    feeder: row.feeder,
    transformer: row.transformer,
    loadW: row.load_w,
    wave: row.wave,
    state: row.state,
    ...(row.rule !== null && { rule: row.rule }),
    sentence: row.sentence,
    ...(row.due_at !== null && { dueAt: row.due_at.toISOString() }),
    ...(row.attempted_at !== null && { attemptedAt: row.attempted_at.toISOString() }),
    ...(row.settled_at !== null && { settledAt: row.settled_at.toISOString() }),
    ...(row.supply !== null && { supply: row.supply }),
    ...(row.power_w !== null && { powerW: row.power_w }),
    ...(row.session_id !== null && { session: row.session_id }),
  };
}

/** What a target's session brought. */
export interface TargetBrought {
  readonly evidence: readonly KeptFact[];
  readonly data: unknown;
  readonly losses: number;
}

export function targetDetail(row: TargetRow & TargetBrought): CampaignTargetDetail {
  return {
    target: targetView(row),
    losses: row.losses,
    facts: row.evidence.map(({ hash, ...fact }) => ({ ...fact, evidence: hash })),
    ...(row.data !== null && { data: row.data }),
  };
}

export interface QuarantineRow {
  readonly item_id: string;
  readonly campaign_id: string;
  readonly operation: string;
  readonly words: string;
  readonly requester: string;
  readonly requester_id: string;
  readonly rules: readonly string[];
  readonly sentence: string;
  readonly meters: readonly string[];
  readonly load_w: string;
  readonly releasable: boolean;
  readonly at: Date;
  readonly state: QuarantineItem["state"];
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly decision: string | null;
  readonly released_as: string | null;
}

const SAMPLE = 20;

export function quarantineView(row: QuarantineRow): QuarantineItem {
  return {
    id: row.item_id,
    campaign: row.campaign_id,
    operation: row.operation,
    words: row.words,
    requester: row.requester,
    rules: [...row.rules],
    sentence: row.sentence,
    meters: row.meters.length,
    loadW: Number(row.load_w),
    sample: row.meters.slice(0, SAMPLE),
    at: row.at.toISOString(),
    state: row.state,
    releasable: row.releasable,
    ...(row.decided_by !== null && { decidedBy: row.decided_by }),
    ...(row.decided_at !== null && { decidedAt: row.decided_at.toISOString() }),
    ...(row.decision !== null && { decision: row.decision }),
    ...(row.released_as !== null && { releasedAs: row.released_as }),
  };
}

/** MC-17: for how long after its time a target may still be taken, in seconds. */
export function ttlOf({ direction, command_class }: CampaignRow, thresholds: Thresholds): number {
  const { supply, other } = commandRulesOf(thresholds).timeToLiveSeconds;
  return direction !== "none" || command_class === "C3" ? supply : other;
}

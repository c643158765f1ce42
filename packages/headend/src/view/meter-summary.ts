import type { MeterKind, MeterSummary, ProtectionGrade, SupplyState, TrustStateName } from "@meterkeep/api";
import type { TakeoverPhase, TakeoverVerdict } from "@meterkeep/api/custodian";
import { fromHex } from "@meterkeep/dlms";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { takeoverStage } from "../takeover/view.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { optional, optionalTime } from "./time-text.ts";

/** Intervals without news after which a meter's line is stale. */
const STALE_PERIODS = 4;
/** A real meter pushes when it likes; after this long its line is stale. */
const STALE_ATTACHED_SECONDS = 7_200;

/** How long a meter may be silent before its line is stale, seconds at the source. */
export function allowedSilenceSeconds(role: MeterSummary["role"], profile: string): number {
  const periodSeconds = findMeterProfile(profile)?.loadProfile.periodSeconds ?? 900;
  return role === "attached" ? STALE_ATTACHED_SECONDS : STALE_PERIODS * periodSeconds;
}

/** Which lines a page has: those of meters that fit all of it, behind the meter with number `after`. */
export interface MeterPageQuery {
  readonly kind?: MeterKind | undefined;
  readonly trust?: TrustStateName | undefined;
  readonly supply?: SupplyState | undefined;
  readonly feeder?: string | undefined;
  /** Words that each occur in label, system title, profile, feeder, trust, supply or kind. */
  readonly find?: string | undefined;
  readonly after: number;
  readonly limit: number;
}

/** A page of meters in one line each, in the order in which they came into the inventory; `next` where there are more. */
export async function meterPage(
  sql: Sql,
  scope: Scope,
  clockOf: (kind: MeterKind) => SourceClock,
  now: number,
  { kind, trust, supply, feeder, find = "", after, limit }: MeterPageQuery,
): Promise<{ readonly meters: readonly MeterSummary[]; readonly next?: string }> {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const found = await rows<SummaryRow>(sql, SELECT_PAGE, [
    ...scope.place,
    after,
    kind ?? null,
    trust ?? null,
    supply ?? null,
    feeder ?? null,
    words.map((word) => `%${word.replaceAll(/[%_\\]/g, "\\$&")}%`),
    limit + 1,
  ]);
  const shown = found.slice(0, limit);
  const meters = shown.map((row) => summaryOfRow(row, clockOf(row.kind), now));
  return { meters, ...(found.length > limit ? { next: String(shown.at(-1)?.meter_id) } : {}) };
}

/** Which meters: all, some by number, or one by system title. */
export type MeterSelection = "all" | { readonly ids: readonly MeterId[] } | { readonly title: string };

/** Meters in one line each, feeder by feeder. */
export async function meterSummaries(
  sql: Sql,
  scope: Scope,
  clockOf: (kind: MeterSummary["kind"]) => SourceClock,
  now: number,
  selection: MeterSelection = "all",
): Promise<readonly MeterSummary[]> {
  const [where, values] = condition(selection);
  const found = await rows<SummaryRow>(sql, `${SELECT} ${where} ${ORDER}`, [...scope.place, ...values]);
  return found.map((row) => summaryOfRow(row, clockOf(row.kind), now));
}

function condition(selection: MeterSelection): readonly [string, unknown[]] {
  if (selection === "all") return ["", []];
  if ("ids" in selection) return ["and m.meter_id = any($3::integer[])", [selection.ids]];
  return ["and m.system_title = $3", [Buffer.from(fromHex(selection.title))]];
}

function summaryOfRow(row: SummaryRow, clock: SourceClock, now: number): MeterSummary {
  return {
    systemTitle: row.title,
    label: row.label,
    kind: row.kind,
    role: row.role,
    profile: row.profile,
    ...optional("feeder", row.feeder_id),
    ...optional("transformer", row.transformer_id),
    takeover: takeoverStage(row.phase, row.verdict),
    takeoverPhase: row.phase === "in-progress" ? row.step : row.phase,
    trust: row.state,
    trustSentence: row.sentence,
    supply: row.role === "home" ? row.supply : "unknown",
    ...optional("powerW", row.power_w),
    ...optional("energyWh", row.energy_wh),
    ...optionalTime("lastReadingAt", row.reading_at),
    ...optional("lastReadingEvidence", row.evidence_hash),
    ...optionalTime("lastContactAt", row.contact_at),
    ...optional("protection", row.protection),
    authenticated: row.protection === "authenticated",
    stale: isStale(row, clock, now),
  };
}

function isStale(row: SummaryRow, clock: SourceClock, now: number): boolean {
  if (row.phase === "left") return false;
  if (row.reading_at === null) return true;
  return clock.atSource(now) - row.reading_at.getTime() > allowedSilenceSeconds(row.role, row.profile) * 1000;
}

interface SummaryRow {
  readonly meter_id: MeterId;
  readonly title: string;
  readonly label: string;
  readonly kind: MeterSummary["kind"];
  readonly role: "home" | "transformer" | "attached";
  readonly profile: string;
  readonly feeder_id: string | null;
  readonly transformer_id: string | null;
  readonly phase: TakeoverPhase;
  readonly step: string;
  readonly verdict: TakeoverVerdict;
  readonly state: TrustStateName;
  readonly sentence: string;
  readonly supply: SupplyState;
  readonly power_w: number | null;
  readonly energy_wh: number | null;
  readonly reading_at: Date | null;
  readonly contact_at: Date | null;
  readonly evidence_hash: string | null;
  readonly protection: ProtectionGrade | null;
}

const SELECT = `
  select m.meter_id, upper(encode(m.system_title, 'hex')) as title, m.label, m.kind, m.role, m.profile, m.feeder_id, m.transformer_id,
    t.phase, t.step, t.verdict, tr.state, tr.sentence, l.supply, l.power_w, l.energy_wh, l.reading_at, l.contact_at,
    encode(l.evidence_hash, 'hex') as evidence_hash, l.protection
  from meters m
  join takeovers t using (utility_id, island_id, meter_id)
  join trust tr using (utility_id, island_id, meter_id)
  join meter_latest l using (utility_id, island_id, meter_id)
  left join feeders f on (f.utility_id, f.island_id, f.feeder_id) = (m.utility_id, m.island_id, m.feeder_id)
  where m.utility_id = $1 and m.island_id = $2`;

const ORDER = "order by f.position nulls last, m.position, m.meter_id";

/** What is shown as supply, of a meter `m` with its newest reading `l`: only a home is supplied through a relay of its meter's. */
export const SUPPLY = "case when m.role = 'home' then l.supply else 'unknown' end";

const SELECT_PAGE = `${SELECT} and m.meter_id > $3 and ($4::text is null or m.kind = $4)
  and ($5::text is null or tr.state::text = $5) and ($6::text is null or ${SUPPLY} = $6)
  and ($7::text is null or m.feeder_id = $7)
  and (cardinality($8::text[]) = 0 or lower(concat_ws(' ', m.label, encode(m.system_title, 'hex'), m.profile, m.feeder_id,
    tr.state, ${SUPPLY}, m.kind)) like all($8))
  order by m.meter_id limit $9`;

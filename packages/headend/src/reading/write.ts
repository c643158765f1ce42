import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlClient } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { writeFindings } from "../plausibility/write-findings.ts";
import { trustAt } from "../trust/trust-at.ts";
import type { ArrivedInterval } from "./arrived-interval.ts";
import type { ChannelTable } from "./channels.ts";
import type { IdOf, MeterRead } from "./meter-read.ts";
import { type EvidenceRecord, evidenceOf, NOTHING_READ, type ReadResult } from "./result.ts";
import { writeCoverage } from "./write-coverage.ts";
import { writeEvents, writeQuality } from "./write-events.ts";
import { type Added, writeIntervals } from "./write-intervals.ts";
import { tellLate } from "./write-late.ts";
import { misdatedBy } from "./write-misdated.ts";

/**
 * Writes evidence, registers and intervals with the trust that each had when it was captured, inside the caller's
 * transaction. What is already there stays: a reading is never overwritten.
 */
export async function writeReadings(
  sql: SqlClient,
  scope: Scope,
  channels: ChannelTable,
  reads: readonly MeterRead[],
): Promise<void> {
  const misdated = await misdatedBy(sql, scope, channels, reads);
  const evidence = await writeEvidence(sql, scope, reads);
  const idOf = (record: EvidenceRecord): string => (evidence.get(record) as WrittenEvidence).id;
  await writeRegisters(sql, scope, reads, idOf);
  await writeEvents(sql, scope, reads, idOf);
  await writeQuality(sql, scope, channels, reads, idOf);
  const added = await writeIntervals(
    sql,
    scope,
    reads.flatMap((entry) => arrivedIntervals(entry, channels, idOf)),
  );
  await writeFindings(sql, scope, misdated.findings, misdated.foundAt);
  await writeCoverage(sql, scope, reads);
  await writeLatest(sql, scope, reads, added);
  // From here on nobody decides about these meters before this is written: what was decided until now is seen.
  await tellLate(sql, scope, reads, (record) => {
    const { id, isNew } = evidence.get(record) as WrittenEvidence;
    return isNew ? Number(id) : undefined;
  });
}

function arrivedIntervals(
  { meter, trustHistory, read }: MeterRead,
  channels: ChannelTable,
  idOf: IdOf,
): ArrivedInterval[] {
  if (read === undefined) return [];
  const { periodSeconds } = read;
  // Values of one answer follow each other: what they share is looked up once.
  let [of, evidence] = [undefined as EvidenceRecord | undefined, 0];
  const numbers = new Map<string, number>();
  return read.intervals.map(({ obis, unit, at, value, status, evidence: record }) => {
    if (record !== of) [of, evidence] = [record, Number(idOf(record))];
    const channel = numbers.get(obis) ?? channels.number(obis, unit);
    numbers.set(obis, channel);
    const { protection } = record;
    const trustAtCapture = trustAt(trustHistory, at);
    return { meter, channel, at, value, status, evidence, protection, trustAtCapture, periodSeconds };
  });
}

interface WrittenEvidence {
  readonly id: string;
  /** False where the same octets were there before. */
  readonly isNew: boolean;
}

/** The numbers of the evidence that the reads rest on. */
async function writeEvidence(
  sql: Sql,
  scope: Scope,
  reads: readonly MeterRead[],
): Promise<ReadonlyMap<EvidenceRecord, WrittenEvidence>> {
  const records = reads.flatMap((entry) => evidenceOf(entry.read ?? NOTHING_READ).map((record) => ({ entry, record })));
  if (records.length === 0) return new Map();
  const written = await rows<{ evidence_id: string; hash: Buffer; is_new: boolean }>(sql, INSERT_EVIDENCE, [
    ...scope.place,
    records.map(({ entry }) => entry.meter),
    records.map(({ entry }) => entry.session ?? null),
    records.map(({ entry }) => entry.push?.source ?? null),
    records.map(({ entry }) => entry.push?.transport ?? null),
    records.map(({ record }) => record.octets.length),
    records.map(({ record }) => record.plain?.length ?? null),
    records.map(({ record }) => record.protection),
    records.map(({ record }) => new Date(record.receivedAt)),
    records.map(({ entry }) => trustAt(entry.trustHistory, Number.POSITIVE_INFINITY)),
    Buffer.concat(records.flatMap(({ record: { hash, octets, plain } }) => [hash, octets, plain ?? NO_OCTETS])),
  ]);
  const byHash = new Map(
    written.map(({ hash, evidence_id: id, is_new: isNew }) => [hashText(hash), { id, isNew }] as const),
  );
  return new Map(records.map(({ record }) => [record, byHash.get(hashText(record.hash)) as WrittenEvidence]));
}

const NO_OCTETS = new Uint8Array(0);

function hashText(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString("latin1");
}

async function writeRegisters(sql: Sql, scope: Scope, reads: readonly MeterRead[], idOf: IdOf): Promise<void> {
  const registers = reads.flatMap((entry) => (entry.read?.registers ?? []).map((record) => ({ entry, record })));
  if (registers.length === 0) return;
  await sql.query(INSERT_REGISTERS, [
    ...scope.place,
    registers.map(({ entry }) => entry.meter),
    registers.map(({ record }) => record.obis),
    registers.map(({ record }) => new Date(record.at)),
    registers.map(({ record }) => new Date(record.evidence.receivedAt)),
    registers.map(({ record }) => (typeof record.value === "number" ? record.value : null)),
    registers.map(({ record }) => (typeof record.value === "string" ? record.value : null)),
    registers.map(({ record }) => record.unit ?? null),
    registers.map(({ record }) => record.status ?? null),
    registers.map(({ entry }) => (entry.push === undefined ? "session" : "push")),
    registers.map(({ record }) => idOf(record.evidence)),
    registers.map(({ record }) => record.evidence.protection),
    registers.map(({ entry, record }) => trustAt(entry.trustHistory, record.at)),
  ]);
}

async function writeLatest(
  sql: Sql,
  scope: Scope,
  reads: readonly MeterRead[],
  added: ReadonlyMap<MeterId, Added>,
): Promise<void> {
  if (reads.length === 0) return;
  const newest = reads.map(({ read }) => newestOf(read));
  await sql.query(PUT_LATEST, [
    ...scope.place,
    reads.map(({ meter }) => meter),
    reads.map(({ read }) => read?.powerW ?? null),
    reads.map(({ read }) => read?.energyWh ?? null),
    reads.map(({ read }) => read?.supply ?? null),
    newest.map((record) => (record === undefined ? null : new Date(record.at))),
    newest.map((record) => (record === undefined ? null : Buffer.from(record.evidence.hash))),
    newest.map((record) => record?.evidence.protection ?? null),
    reads.map(({ contactAt }) => (contactAt === undefined ? null : new Date(contactAt))),
    reads.map(({ meter }) => added.get(meter)?.all ?? 0),
    reads.map(({ meter }) => added.get(meter)?.trusted ?? 0),
    reads.map(({ read }) => read?.clockOffsetSeconds ?? null),
  ]);
}

function newestOf(
  read: ReadResult | undefined,
): { readonly at: number; readonly evidence: EvidenceRecord } | undefined {
  let newest: { readonly at: number; readonly evidence: EvidenceRecord } | undefined;
  for (const record of [...(read?.intervals ?? []), ...(read?.registers ?? [])])
    if (newest === undefined || record.at >= newest.at) newest = record;
  return read === undefined || newest === undefined
    ? undefined
    : { at: newest.at - aheadMilliseconds(read), evidence: newest.evidence };
}

/** By how much the clock was ahead that dated it: else nothing that is said until then would be newer, and what it drew would stay. */
function aheadMilliseconds({ clockOff, misdated = [] }: ReadResult): number {
  const offsets = [clockOff, ...misdated].map((off) => off?.offsetSeconds ?? 0);
  return Math.round(Math.max(0, ...offsets) * 1000);
}

// Hash, octets and plain octets of all in one value behind each other: as arrays they would travel as hex text, at twice the
// length, and be read again by the database octet for octet.
const INSERT_EVIDENCE = `
  with e as (
    select n.*, (1 + sum(32 + n.octets + coalesce(n.plain, 0)) over (order by n.at rows unbounded preceding)
      - (32 + n.octets + coalesce(n.plain, 0)))::integer as start
    from unnest($3::integer[], $4::uuid[], $5::text[], $6::text[], $7::integer[], $8::integer[], $9::protection_grade[],
      $10::timestamptz[], $11::trust_state[]) with ordinality
      as n(meter_id, session_id, push_source, push_transport, octets, plain, protection, received_at, trust, at)
  )
  insert into evidence (utility_id, island_id, hash, meter_id, session_id, push_source, push_transport, octets, plain,
    protection, received_at, trust_at_capture)
  select $1, $2, substring($12::bytea from e.start for 32), e.meter_id, e.session_id, e.push_source, e.push_transport,
    substring($12::bytea from e.start + 32 for e.octets), substring($12::bytea from e.start + 32 + e.octets for e.plain),
    e.protection, e.received_at, e.trust
  from e
  on conflict (utility_id, island_id, hash) do update set hash = excluded.hash
  -- A row that was there is another version of itself, which the writer of the one before has locked.
  returning evidence_id, hash, xmax = 0 as is_new`;

const INSERT_REGISTERS = `
  insert into register_readings (utility_id, island_id, meter_id, obis, at, received_at, number_value, text_value, unit,
    status, source, evidence_id, protection, trust_at_capture)
  select $1, $2, r.* from unnest($3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::float8[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::bigint[], $13::protection_grade[], $14::trust_state[])
    as r(meter_id, obis, at, received_at, number_value, text_value, unit, status, source, evidence_id, protection, trust)
  -- What a meter says again of the same moment is known; what contradicts it is kept beside it.
  where not exists (
    select from register_readings k where k.utility_id = $1 and k.island_id = $2 and k.meter_id = r.meter_id
      and k.obis = r.obis and k.at = r.at and k.protection = r.protection
      and (k.number_value, k.text_value) is not distinct from (r.number_value, r.text_value))
  on conflict do nothing`;

/**
 * Whether the newest reading of a meter takes the place of the one that is shown: it is newer, and what proves nothing takes no
 * place of what is proven, nor keeps it from what is.
 */
const IS_NEWEST = `n.reading_at is not null
  and (n.protection = 'authenticated' or l.protection is distinct from 'authenticated')
  and (l.reading_at is null or n.reading_at >= l.reading_at
    or (n.protection = 'authenticated' and l.protection is distinct from 'authenticated'))`;

const PUT_LATEST = `
  update meter_latest l set
    power_w = case when ${IS_NEWEST} then coalesce(n.power_w, l.power_w) else l.power_w end,
    -- A register that rolled over or was reset counts from there.
    energy_wh = case when ${IS_NEWEST} then coalesce(n.energy_wh, l.energy_wh) else l.energy_wh end,
    supply = coalesce(n.supply, l.supply),
    supply_at = case when n.supply is null then l.supply_at else n.contact_at end,
    evidence_hash = case when ${IS_NEWEST} then n.evidence_hash else l.evidence_hash end,
    protection = case when ${IS_NEWEST} then n.protection else l.protection end,
    read_ok_at = case when n.reading_at is null then l.read_ok_at else coalesce(n.contact_at, now()) end,
    reading_at = case when ${IS_NEWEST} then n.reading_at else l.reading_at end,
    contact_at = greatest(l.contact_at, n.contact_at),
    interval_count = l.interval_count + n.added,
    trusted_interval_count = l.trusted_interval_count + n.trusted,
    clock_offset_seconds = coalesce(n.clock_offset, l.clock_offset_seconds)
  from unnest($3::integer[], $4::float8[], $5::float8[], $6::text[], $7::timestamptz[], $8::bytea[],
    $9::protection_grade[], $10::timestamptz[], $11::bigint[], $12::bigint[], $13::float8[])
    as n(meter_id, power_w, energy_wh, supply, reading_at, evidence_hash, protection, contact_at, added, trusted,
      clock_offset)
  where l.utility_id = $1 and l.island_id = $2 and l.meter_id = n.meter_id`;

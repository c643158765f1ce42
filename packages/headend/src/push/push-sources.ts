import type { ProtectionGrade, PushSource } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterDirectory } from "../inventory/directory.ts";
import type { MeterId } from "../inventory/meter.ts";
import { Strangers } from "./strangers.ts";

const MAX_STRANGERS = 500;

/** One push as it counts for its sender. */
export interface PushTally {
  readonly meter: MeterId;
  readonly address: string;
  readonly transport: PushSource["transport"];
  readonly accepted: boolean;
  readonly refusal?: string;
  readonly protection?: ProtectionGrade;
  readonly at: Date;
}

/** Who pushes to us: meters in the database, strangers in memory. */
export class PushSources {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #strangers: Strangers;

  constructor(sql: Sql, scope: Scope, directory: Pick<MeterDirectory, "find">) {
    this.#sql = sql;
    this.#scope = scope;
    this.#strangers = new Strangers(MAX_STRANGERS, (title) => directory.find(title) !== undefined);
  }

  get strangers(): number {
    return this.#strangers.count;
  }

  /** Notes a sender that is no meter of ours. @returns whether it is a new one. */
  stranger(...args: Parameters<Strangers["saw"]>): boolean {
    return this.#strangers.saw(...args);
  }

  /** Counts pushes for their meters, in the caller's transaction where one is given. */
  async count(tallies: readonly PushTally[], sql: Sql = this.#sql): Promise<void> {
    if (tallies.length === 0) return;
    await sql.query(COUNT, [
      ...this.#scope.place,
      tallies.map((tally) => tally.meter),
      tallies.map((tally) => tally.address),
      tallies.map((tally) => tally.transport),
      tallies.map((tally) => (tally.accepted ? 1 : 0)),
      tallies.map((tally) => tally.refusal ?? null),
      tallies.map((tally) => tally.protection ?? null),
      tallies.map((tally) => tally.at),
    ]);
  }

  /** Meters and strangers, the last heard first. */
  async list(limit = 500): Promise<readonly PushSource[]> {
    const known = await rows<SourceRow>(this.#sql, SELECT, [...this.#scope.place, limit]);
    return [...this.#strangers.list(), ...known.map(sourceOfRow)];
  }
}

interface SourceRow {
  readonly address: string;
  readonly transport: PushSource["transport"];
  readonly title: string;
  readonly accepted: string;
  readonly refused: string;
  readonly last_refusal: string | null;
  readonly protection: ProtectionGrade | null;
  readonly first_seen: Date;
  readonly last_seen: Date;
}

function sourceOfRow(row: SourceRow): PushSource {
  return {
    address: row.address,
    transport: row.transport,
    systemTitle: row.title,
    meter: row.title,
    stranger: false,
    ...(row.protection === null ? {} : { protection: row.protection }),
    accepted: Number(row.accepted),
    refused: Number(row.refused),
    ...(row.last_refusal === null ? {} : { lastRefusal: row.last_refusal }),
    firstSeenAt: row.first_seen.toISOString(),
    lastSeenAt: row.last_seen.toISOString(),
  };
}

const COUNT = `
  insert into push_sources (utility_id, island_id, meter_id, address, transport, accepted, refused, last_refusal, protection,
    first_seen, last_seen)
  select $1, $2, p.meter_id, p.address, p.transport, sum(p.accepted), count(*) - sum(p.accepted), max(p.refusal),
    max(p.protection), min(p.at), max(p.at)
  from unnest($3::integer[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::protection_grade[], $9::timestamptz[])
    as p(meter_id, address, transport, accepted, refusal, protection, at)
  group by p.meter_id, p.address, p.transport
  on conflict (utility_id, island_id, meter_id, address, transport) do update set
    accepted = push_sources.accepted + excluded.accepted, refused = push_sources.refused + excluded.refused,
    last_refusal = coalesce(excluded.last_refusal, push_sources.last_refusal),
    protection = coalesce(excluded.protection, push_sources.protection), last_seen = excluded.last_seen`;

const SELECT = `
  select s.address, s.transport, upper(encode(m.system_title, 'hex')) as title, s.accepted, s.refused, s.last_refusal,
    s.protection, s.first_seen, s.last_seen
  from push_sources s join meters m using (utility_id, island_id, meter_id)
  where s.utility_id = $1 and s.island_id = $2 order by s.last_seen desc limit $3`;

import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { UNKNOWN_LOAD_W } from "./expansion.ts";

/** Homes on one transformer of one feeder. */
export interface CensusPart {
  readonly feeder: string | undefined;
  readonly transformer: string | undefined;
  /** Of the transformer; undefined where nobody said. */
  readonly ratedW: number | undefined;
  readonly meters: number;
  /** What they draw. */
  readonly loadW: number;
  /** What they feed in. */
  readonly feedW: number;
}

/** Counting takes time by the meter, and a large fleet changes slowly: a count is good for so long for each meter of it. */
const MILLISECONDS_A_METER = 0.1;
/** And never longer. */
const MOST_MILLISECONDS = 60_000;

/**
 * How many homes there are and what they draw, by transformer. A million are counted once a minute, a small town each time: caps
 * are shares of it, and are asked for with every wave.
 */
export class FleetCensus {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #now: () => number;
  #counting: { readonly at: number; readonly parts: Promise<readonly CensusPart[]> } | undefined;
  #lifetime = 0;

  constructor(sql: Sql, scope: Scope, now: () => number) {
    this.#sql = sql;
    this.#scope = scope;
    this.#now = now;
  }

  parts(): Promise<readonly CensusPart[]> {
    const now = this.#now();
    if (this.#counting !== undefined && Math.abs(now - this.#counting.at) < this.#lifetime) return this.#counting.parts;
    const parts = this.#count();
    this.#counting = { at: now, parts };
    // Whoever comes meanwhile counts for himself; what could not be counted is not kept.
    this.#lifetime = 0;
    return parts;
  }

  async #count(): Promise<readonly CensusPart[]> {
    const found = await rows<Row>(this.#sql, CENSUS, [...this.#scope.place, UNKNOWN_LOAD_W]);
    const meters = found.reduce((sum, row) => sum + Number(row.meters), 0);
    this.#lifetime = Math.min(MOST_MILLISECONDS, meters * MILLISECONDS_A_METER);
    return found.map(({ feeder_id, transformer_id, rated_kva, meters: count, load_w, feed_w }) => ({
      feeder: feeder_id ?? undefined,
      transformer: transformer_id ?? undefined,
      ratedW: rated_kva === null ? undefined : rated_kva * 1000,
      meters: Number(count),
      loadW: Number(load_w),
      feedW: Number(feed_w),
    }));
  }
}

interface Row {
  readonly feeder_id: string | null;
  readonly transformer_id: string | null;
  readonly rated_kva: number | null;
  readonly meters: string;
  readonly load_w: string;
  readonly feed_w: string;
}

const CENSUS = `
  select m.feeder_id, m.transformer_id, tf.rated_kva, count(*) as meters,
    sum(greatest(coalesce(l.power_w, $3::integer), 0)) as load_w,
    sum(greatest(coalesce(-l.power_w, $3::integer), 0)) as feed_w
  from meters m
  left join meter_latest l using (utility_id, island_id, meter_id)
  left join transformers tf using (utility_id, island_id, transformer_id)
  where m.utility_id = $1 and m.island_id = $2 and m.role = 'home'
  group by 1, 2, 3`;

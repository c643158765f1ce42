import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";

/** Where a meter proves itself when it pushes, and where it did before. Times in milliseconds since 1970 UTC on our clock. */
export interface Place {
  readonly address: string;
  readonly since: number;
  /** Addresses that it left, and when; the one left last stands last. */
  readonly left: ReadonlyMap<string, number>;
  /** When it went back to one of them. */
  readonly returns: readonly number[];
}

/** A meter that was authenticated at an address. */
export interface Appearance {
  readonly meter: MeterId;
  readonly address: string;
}

/** Returns that count, and for how long a place is known as left. */
export const RETURN_MILLISECONDS = 3_600_000;
const KNOWN_MILLISECONDS = 30 * 24 * RETURN_MILLISECONDS;
/** Places that are remembered of a meter; a meter whose network gives it many forgets the oldest. */
const MOST_LEFT = 8;
/** Meters remembered; beyond, the one not heard for the longest time is looked up again. */
const MOST_METERS = 100_000;

/**
 * Remembers where meters are, across restarts: in memory, and in the database whatever changes. A meter that stays where it is
 * costs no statement once it is known.
 */
export class Places {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #known = new Map<MeterId, Place>();

  constructor(sql: Sql, scope: Scope) {
    this.#sql = sql;
    this.#scope = scope;
  }

  /** The places of meters, where anything is known of them: one statement for all that are not in memory. */
  async of(meters: readonly MeterId[]): Promise<ReadonlyMap<MeterId, Place>> {
    const unknown = [...new Set(meters)].filter((meter) => !this.#known.has(meter));
    if (unknown.length > 0)
      for (const row of await rows<PlaceRow>(this.#sql, SELECT_PLACES, [...this.#scope.place, unknown]))
        this.#remember(row.meter_id as MeterId, {
          address: row.address,
          since: row.since.getTime(),
          left: new Map(row.left_places),
          returns: row.returns,
        });
    return new Map(
      meters.flatMap((meter) => {
        const place = this.#known.get(meter);
        return place === undefined ? [] : [[meter, place]];
      }),
    );
  }

  /** Takes in where meters appeared, in that order. @returns those that are elsewhere than before. */
  async appeared(all: readonly Appearance[], at: number): Promise<ReadonlyMap<MeterId, Place>> {
    const before = await this.of(all.map(({ meter }) => meter));
    const changed = new Map<MeterId, Place>();
    for (const { meter, address } of all) {
      const place = changed.get(meter) ?? before.get(meter);
      if (place?.address === address) continue;
      changed.set(meter, place === undefined ? first(address, at) : moved(place, address, at));
    }
    if (changed.size === 0) return changed;
    await this.#sql.query(PUT_PLACES, [
      ...this.#scope.place,
      [...changed.keys()],
      [...changed.values()].map(({ address }) => address),
      [...changed.values()].map(({ since }) => new Date(since)),
      [...changed.values()].map(({ left }) => JSON.stringify([...left])),
      [...changed.values()].map(({ returns }) => JSON.stringify(returns)),
    ]);
    for (const [meter, place] of changed) this.#remember(meter, place);
    return new Map([...changed].filter(([meter]) => before.has(meter)));
  }

  #remember(meter: MeterId, place: Place): void {
    this.#known.delete(meter);
    this.#known.set(meter, place);
    if (this.#known.size > MOST_METERS) this.#known.delete(this.#known.keys().next().value as MeterId);
  }
}

function first(address: string, at: number): Place {
  return { address, since: at, left: new Map(), returns: [] };
}

function moved(from: Place, address: string, at: number): Place {
  const leftAt = from.left.get(address);
  const isReturn = leftAt !== undefined && at - leftAt < RETURN_MILLISECONDS;
  const left = [...from.left, [from.address, at] as const].filter(
    ([other, time], n, all) =>
      other !== address && at - time < KNOWN_MILLISECONDS && all.findLastIndex(([one]) => one === other) === n,
  );
  return {
    address,
    since: at,
    left: new Map(left.slice(-MOST_LEFT)),
    returns: [...from.returns.filter((time) => at - time < RETURN_MILLISECONDS), ...(isReturn ? [at] : [])],
  };
}

interface PlaceRow {
  readonly meter_id: number;
  readonly address: string;
  readonly since: Date;
  readonly left_places: readonly (readonly [string, number])[];
  readonly returns: readonly number[];
}

const SELECT_PLACES = `
  select meter_id, address, since, left_places, returns from meter_places
  where utility_id = $1 and island_id = $2 and meter_id = any($3::integer[])`;

const PUT_PLACES = `
  insert into meter_places (utility_id, island_id, meter_id, address, since, left_places, returns)
  select $1, $2, p.* from unnest($3::integer[], $4::text[], $5::timestamptz[], $6::jsonb[], $7::jsonb[]) as p
  on conflict (utility_id, island_id, meter_id) do update set address = excluded.address, since = excluded.since,
    left_places = excluded.left_places, returns = excluded.returns`;

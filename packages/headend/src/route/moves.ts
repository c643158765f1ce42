import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";

/** The same address again within this is no news: it has been tried, or moved to. */
const AGAIN_MILLISECONDS = 60_000;
/** Meters remembered; beyond, those that announced themselves first are forgotten, and are tried once more. */
const MOST_REMEMBERED = 100_000;
/** How IPv4 looks on a socket that takes both. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/**
 * Follows meters whose network gives them another address now and then (push on connectivity). An authenticated notification
 * from a new address only says where to try: whoever carries it along could have sent it on from anywhere. The address moves
 * when a session over it was authenticated; where it was not, the old one stays.
 */
export class Moves {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #now: () => number;
  readonly #told = new Map<MeterId, { readonly host: string; readonly at: number }>();

  constructor(sql: Sql, scope: Scope, now: () => number) {
    this.#sql = sql;
    this.#scope = scope;
    this.#now = now;
  }

  /** A meter was authenticated in what it sent from an address. @returns whether that is worth a session. */
  async announced(meter: Pick<Meter, "id" | "moving" | "route">, address: string): Promise<boolean> {
    if (meter.moving === undefined) return false;
    const host = address.replace(MAPPED, "");
    const at = this.#now();
    const told = this.#told.get(meter.id);
    // Nearly all are where they were: that costs no statement.
    if (told === undefined && meter.route !== undefined && "host" in meter.route && meter.route.host === host)
      return false;
    if (told?.host === host && at - told.at < AGAIN_MILLISECONDS) return false;
    this.#told.delete(meter.id);
    this.#told.set(meter.id, { host, at });
    if (this.#told.size > MOST_REMEMBERED) this.#told.delete(this.#told.keys().next().value as MeterId);
    const { writtenHost } = meter.moving;
    const noted = await rows(this.#sql, ANNOUNCE, [...this.#scope.place, meter.id, host, writtenHost]);
    return noted.length > 0;
  }

  /** A session over the address that a meter had announced is over: it moves there, or stays where it was. */
  async tried({ id, moving }: Pick<Meter, "id" | "moving">, isProven: boolean): Promise<void> {
    if (moving?.announcedHost === undefined) return;
    await this.#sql.query(isProven ? MOVE : STAY, [...this.#scope.place, id, moving.announcedHost]);
  }
}

const ANNOUNCE = `
  update meters set announced_host = $4
  where utility_id = $1 and island_id = $2 and meter_id = $3 and announced_host is distinct from $4
    and coalesce(moved_host, $5) <> $4
  returning meter_id`;

const MOVE = `
  update meters set moved_host = announced_host, announced_host = null
  where utility_id = $1 and island_id = $2 and meter_id = $3 and announced_host = $4`;

const STAY = `
  update meters set announced_host = null
  where utility_id = $1 and island_id = $2 and meter_id = $3 and announced_host = $4`;

import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { Announcement, AnnouncementKind, NumberedAnnouncement } from "./announcement.ts";

/** For so long a consumer may be away and miss nothing. */
export const OUTBOX_DAYS = 7;

/** How far an outbox has come, and how far it has been carried. */
export interface OutboxHead {
  /** Whose numbers these are: `utility/island/run`, another run where the database began anew. */
  readonly origin: string;
  readonly last: number;
  readonly carried: number;
}

/** What an island tells, in the order in which it became so. */
export class Outbox {
  readonly #sql: Sql;
  readonly #scope: Scope;

  constructor(sql: Sql, scope: Scope) {
    this.#sql = sql;
    this.#scope = scope;
  }

  /**
   * Announces inside the caller's transaction, as the last thing in it: from here to its end nobody else of the island can
   * announce, and what was announced is true exactly when it is committed.
   */
  async announce(sql: Sql, announcements: readonly Announcement[]): Promise<void> {
    if (announcements.length === 0) return;
    await sql.query(ANNOUNCE, [
      ...this.#scope.place,
      announcements.map(({ kind }) => kind),
      announcements.map(({ meter }) => meter),
      announcements.map(({ body }) => body),
    ]);
  }

  /** What comes after a number, at most `count` and about `octets`, one in any case. */
  async after(sequence: number, count: number, octets: number): Promise<readonly NumberedAnnouncement[]> {
    const found = await rows<AnnouncementRow>(this.#sql, AFTER, [...this.#scope.place, sequence, count, octets]);
    return found.map(announcementOfRow);
  }

  async head(): Promise<OutboxHead> {
    const { place, utility, island } = this.#scope;
    await this.#sql.query("insert into outbox_heads (utility_id, island_id) values ($1, $2) on conflict do nothing", [
      ...place,
    ]);
    const head = await firstRow<{ run: string; last: string; carried: string }>(
      this.#sql,
      "select run, last, carried from outbox_heads where utility_id = $1 and island_id = $2",
      [...place],
    );
    const run = head?.run.slice(0, 8) ?? "";
    return {
      origin: `${utility}/${island}/${run}`,
      last: Number(head?.last ?? 0),
      carried: Number(head?.carried ?? 0),
    };
  }

  /** Somebody else keeps everything up to here. */
  async carried(sequence: number): Promise<void> {
    await this.#sql.query(
      "update outbox_heads set carried = greatest(carried, $3) where utility_id = $1 and island_id = $2",
      [...this.#scope.place, sequence],
    );
  }

  /** Forgets what is older than {@link OUTBOX_DAYS}; with `carriedOnly`, only what has been carried. @returns how many */
  async forget(now: number, carriedOnly: boolean): Promise<number> {
    const { rowCount } = await this.#sql.query(FORGET, [
      ...this.#scope.place,
      new Date(now - OUTBOX_DAYS * DAY_MILLISECONDS),
      carriedOnly,
    ]);
    return rowCount ?? 0;
  }
}

/** A numbered announcement as it is stored. */
export interface AnnouncementRow {
  readonly sequence: string;
  readonly at: Date;
  readonly kind: AnnouncementKind;
  readonly meter: string;
  readonly body: string;
}

export function announcementOfRow({ sequence, at, ...told }: AnnouncementRow): NumberedAnnouncement {
  return { ...told, sequence: Number(sequence), at: at.getTime() };
}

/** The first rows of `select` whose bodies are no longer than so many octets together, and one in any case. */
export function nextWithin(select: string, octets: string): string {
  return `
  select sequence, at, kind, meter, body from (
    select *, sum(octet_length(body)) over (order by sequence) - octet_length(body) as before from (${select}) next
  ) counted where before < ${octets} order by sequence`;
}

const ANNOUNCE = `
  with told as (
    select * from unnest($3::text[], $4::text[], $5::text[]) with ordinality as t(kind, meter, body, place)
  ), head as (
    insert into outbox_heads as h (utility_id, island_id, last) values ($1, $2, (select count(*) from told))
    on conflict (utility_id, island_id) do update set last = h.last + excluded.last returning last
  )
  insert into outbox (utility_id, island_id, sequence, kind, meter, body)
  select $1, $2, head.last - (select count(*) from told) + place, kind, meter, body from told, head`;

const AFTER = nextWithin(
  `select sequence, at, kind, meter, body from outbox
   where utility_id = $1 and island_id = $2 and sequence > $3 order by sequence limit $4`,
  "$5",
);

const FORGET = `
  delete from outbox o using outbox_heads h
  where o.utility_id = $1 and o.island_id = $2 and o.at < $3
    and (h.utility_id, h.island_id) = (o.utility_id, o.island_id) and (not $4::boolean or o.sequence <= h.carried)`;

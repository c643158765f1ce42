import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type SqlPool } from "../database/sql.ts";
import type { NumberedAnnouncement } from "./announcement.ts";
import type { Consignment } from "./carrier.ts";
import { type AnnouncementRow, announcementOfRow, nextWithin } from "./outbox.ts";

/** What one origin has told so far. */
export interface InboxHead {
  readonly origin: string;
  readonly last: number;
  /** Numbers that never came: what carried them had forgotten them. The origin's own outbox may have them still. */
  readonly missing: number;
}

/** Keeps what other islands tell, each announcement once, however often it comes. */
export class Inbox {
  readonly #pool: SqlPool;
  readonly #scope: Scope;

  constructor(pool: SqlPool, scope: Scope) {
    this.#pool = pool;
    this.#scope = scope;
  }

  /** Takes what is new of a consignment. @returns how many announcements were */
  take({ origin, announcements }: Consignment): Promise<number> {
    const head = [...this.#scope.place, origin];
    return inTransaction(this.#pool, async (sql) => {
      await sql.query(ENSURE_HEAD, head);
      const known = Number((await firstRow<{ last: string }>(sql, LOCK_HEAD, head))?.last ?? 0);
      const fresh = announcements.filter(({ sequence }) => sequence > known);
      const last = fresh.at(-1)?.sequence;
      if (last === undefined) return 0;
      await sql.query(TAKE, [
        ...head,
        fresh.map(({ sequence }) => sequence),
        fresh.map(({ at }) => new Date(at)),
        fresh.map(({ kind }) => kind),
        fresh.map(({ meter }) => meter),
        fresh.map(({ body }) => body),
        last,
        last - known - fresh.length,
      ]);
      return fresh.length;
    });
  }

  /** What one origin told after a number, at most `count` and about `octets`, one in any case. */
  async after(
    origin: string,
    sequence: number,
    count: number,
    octets: number,
  ): Promise<readonly NumberedAnnouncement[]> {
    const found = await rows<AnnouncementRow>(this.#pool, AFTER, [
      ...this.#scope.place,
      origin,
      sequence,
      count,
      octets,
    ]);
    return found.map(announcementOfRow);
  }

  async heads(): Promise<readonly InboxHead[]> {
    const found = await rows<{ origin: string; last: string; missing: string }>(
      this.#pool,
      "select origin, last, missing from inbox_heads where utility_id = $1 and island_id = $2 order by origin",
      [...this.#scope.place],
    );
    return found.map(({ origin, last, missing }) => ({ origin, last: Number(last), missing: Number(missing) }));
  }

  /** Forgets what was told before a moment. @returns how many */
  async forget(before: Date): Promise<number> {
    const { rowCount } = await this.#pool.query(
      "delete from inbox where utility_id = $1 and island_id = $2 and at < $3",
      [...this.#scope.place, before],
    );
    return rowCount ?? 0;
  }
}

const ENSURE_HEAD = `
  insert into inbox_heads (utility_id, island_id, origin, last) values ($1, $2, $3, 0) on conflict do nothing`;

const LOCK_HEAD = "select last from inbox_heads where utility_id = $1 and island_id = $2 and origin = $3 for update";

const AFTER = nextWithin(
  `select sequence, at, kind, meter, body from inbox
   where utility_id = $1 and island_id = $2 and origin = $3 and sequence > $4 order by sequence limit $5`,
  "$6",
);

const TAKE = `
  with taken as (
    insert into inbox (utility_id, island_id, origin, sequence, at, kind, meter, body)
    select $1, $2, $3, t.* from unnest($4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[]) t
  )
  update inbox_heads set last = $9, missing = missing + $10
  where utility_id = $1 and island_id = $2 and origin = $3`;

import { randomUUID } from "node:crypto";
import type { TokenScopeName } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { newSecretToken, tokenHash } from "./secret-token.ts";

/** Somebody or something that proved who it is. */
export interface Login {
  readonly kind: "person" | "machine";
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  /** How far it reaches. */
  readonly scope: TokenScopeName;
  readonly signedInAt: Date | undefined;
  readonly expiresAt: Date | undefined;
}

export const ROLES = ["administrator", "machine"] as const;
const LINK_MINUTES = 60;
const SESSION_HOURS = 12;
const ADMINISTRATOR = "Administrator";

/** A session of a person: the cookie's text is given out once. */
export interface OpenedLogin {
  readonly cookie: string;
  readonly login: Login;
}

/** People, their single-use links and their sessions. */
export class People {
  readonly #pool: SqlPool;
  readonly #scope: Scope;
  readonly #now: () => Date;

  constructor(pool: SqlPool, scope: Scope, now: () => Date) {
    this.#pool = pool;
    this.#scope = scope;
    this.#now = now;
  }

  /** Whether anybody has ever signed in: until then every start prints a link. */
  async isClaimed(): Promise<boolean> {
    const row = await firstRow<{ claimed: boolean }>(
      this.#pool,
      `select exists (select from sign_in_links where utility_id = $1 and island_id = $2 and used_at is not null) as claimed`,
      [...this.#scope.place],
    );
    return row?.claimed === true;
  }

  /**
   * Makes a link's token for the administrator, good once and for an hour; older links that nobody used stop working.
   * With `recover` the administrator's sessions and passkeys end too: a lost login is replaced, not joined.
   */
  async newLink(reason: "first-start" | "recover"): Promise<string> {
    const token = newSecretToken("mks_");
    const now = this.#now();
    await inTransaction(this.#pool, async (sql) => {
      const person = await this.#administrator(sql, now);
      await sql.query("delete from sign_in_links where utility_id = $1 and island_id = $2 and used_at is null", [
        ...this.#scope.place,
      ]);
      if (reason === "recover")
        for (const table of ["person_sessions", "passkeys"])
          await sql.query(`delete from ${table} where utility_id = $1 and island_id = $2 and person_id = $3`, [
            ...this.#scope.place,
            person,
          ]);
      await sql.query(
        `insert into sign_in_links (utility_id, island_id, token_hash, person_id, reason, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [...this.#scope.place, token.hash, person, reason, now, new Date(now.getTime() + LINK_MINUTES * 60_000)],
      );
    });
    return token.text;
  }

  /** Exchanges a link's token for a session. @throws HeadEndError `sign-in-refused`: used, expired or never made. */
  async claimLink(token: string): Promise<OpenedLogin> {
    return inTransaction(this.#pool, async (sql) => {
      const now = this.#now();
      const link = await firstRow<{ person_id: string }>(
        sql,
        `update sign_in_links set used_at = $4
         where utility_id = $1 and island_id = $2 and token_hash = $3 and used_at is null and expires_at > $4
         returning person_id`,
        [...this.#scope.place, tokenHash(token), now],
      );
      if (link === undefined)
        throw new HeadEndError(
          "sign-in-refused",
          "this link has been used, has expired or never was one; run `meterkeep admin recover` for another",
        );
      return this.#open(sql, link.person_id, now);
    });
  }

  /** Opens a session for a person who proved himself by other means. */
  async openSession(person: string): Promise<OpenedLogin> {
    return inTransaction(this.#pool, (sql) => this.#open(sql, person, this.#now()));
  }

  /** Who has that cookie, or undefined. */
  async bySession(cookie: string): Promise<Login | undefined> {
    const row = await firstRow<PersonRow>(
      this.#pool,
      `update person_sessions s set last_seen_at = greatest(s.last_seen_at, $4)
       from people p
       where s.utility_id = $1 and s.island_id = $2 and s.session_hash = $3 and s.expires_at > $4
         and (p.utility_id, p.island_id, p.person_id) = (s.utility_id, s.island_id, s.person_id)
         and p.disabled_at is null
       returning p.person_id, p.name, p.roles, s.signed_in_at, s.expires_at`,
      [...this.#scope.place, tokenHash(cookie), this.#now()],
    );
    return row === undefined ? undefined : loginOfRow(row);
  }

  async endSession(cookie: string): Promise<void> {
    await this.#pool.query(
      "delete from person_sessions where utility_id = $1 and island_id = $2 and session_hash = $3",
      [...this.#scope.place, tokenHash(cookie)],
    );
  }

  async #open(sql: Sql, person: string, now: Date): Promise<OpenedLogin> {
    const token = newSecretToken("mkc_");
    const row = await firstRow<PersonRow>(
      sql,
      `with opened as (
         insert into person_sessions (utility_id, island_id, session_hash, person_id, signed_in_at, last_seen_at, expires_at)
         values ($1, $2, $3, $4, $5, $5, $6)
       )
       select person_id, name, roles, $5::timestamptz as signed_in_at, $6::timestamptz as expires_at from people
       where utility_id = $1 and island_id = $2 and person_id = $4 and disabled_at is null`,
      [...this.#scope.place, token.hash, person, now, new Date(now.getTime() + SESSION_HOURS * 3_600_000)],
    );
    if (row === undefined) throw new HeadEndError("sign-in-refused", "this person may not sign in any more");
    return { cookie: token.text, login: loginOfRow(row) };
  }

  async #administrator(sql: Sql, now: Date): Promise<string> {
    const known = await firstRow<{ person_id: string }>(
      sql,
      `select person_id from people
       where utility_id = $1 and island_id = $2 and 'administrator' = any(roles) and disabled_at is null
       order by created_at limit 1`,
      [...this.#scope.place],
    );
    if (known !== undefined) return known.person_id;
    const id = randomUUID();
    await sql.query(
      `insert into people (utility_id, island_id, person_id, name, roles, created_at)
       values ($1, $2, $3, $4, array['administrator'], $5)`,
      [...this.#scope.place, id, ADMINISTRATOR, now],
    );
    return id;
  }
}

interface PersonRow {
  readonly person_id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly signed_in_at: Date;
  readonly expires_at: Date;
}

function loginOfRow(row: PersonRow): Login {
  return {
    kind: "person",
    id: row.person_id,
    name: row.name,
    roles: row.roles,
    scope: row.roles.includes("administrator") ? "admin" : "read",
    signedInAt: row.signed_in_at,
    expiresAt: row.expires_at,
  };
}

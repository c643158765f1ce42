import { randomUUID } from "node:crypto";
import { type ScopeName, scopesOfRoles } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { newSecretToken, tokenHash } from "./secret-token.ts";

/** Somebody or something that proved who it is. */
export interface Login {
  readonly kind: "person" | "machine";
  readonly id: string;
  /** As the ledger calls it: a person's own name, or `token NAME (ID)`, which no person is called. */
  readonly name: string;
  readonly roles: readonly string[];
  /** What it may do. */
  readonly scopes: readonly ScopeName[];
  readonly signedInAt: Date | undefined;
  /** When the person last showed a passkey in this session. */
  readonly provenAt: Date | undefined;
  readonly expiresAt: Date | undefined;
}

const LINK_MINUTES = 60;
const SESSION_HOURS = 12;
/** Who comes first is called this, and can do what one person alone may: nobody else could admit an operator yet. */
const FIRST = { name: "Administrator", roles: ["administrator", "operator"] } as const;

/** A session of a person: the cookie's text is given out once. */
export interface OpenedLogin {
  readonly cookie: string;
  readonly login: Login;
}

/** How people come in: single-use links, and sessions. */
export class Logins {
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
   * Makes a link's token for the first administrator who is still there, as `newLinkFor` does. Where everybody who could
   * admit people has gone, one is made anew.
   */
  async newLink(reason: "first-start" | "recover"): Promise<string> {
    return inTransaction(this.#pool, async (sql) => {
      const now = this.#now();
      return this.#makeLink(sql, await this.#administrator(sql, now), reason, now);
    });
  }

  /**
   * Makes a link's token for a person, good once and for an hour; older links that they did not use stop working. With
   * `recover` their sessions and passkeys end too: a lost login is replaced, not joined.
   */
  async newLinkFor(person: string, reason: "admitted" | "recover"): Promise<string> {
    return inTransaction(this.#pool, (sql) => this.#makeLink(sql, person, reason, this.#now()));
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
          "this link has been used, has expired or never was one; run `npx meterkeep admin recover` for another, or ask who admits people",
        );
      return this.#open(sql, link.person_id, now, undefined);
    });
  }

  /** Opens a session for a person who has just shown a passkey. */
  async openByPasskey(person: string): Promise<OpenedLogin> {
    return inTransaction(this.#pool, (sql) => {
      const now = this.#now();
      return this.#open(sql, person, now, now);
    });
  }

  /**
   * Opens a session for whom the organisation's provider calls `subject`. @throws HeadEndError `sign-in-refused`: nobody of
   * that subject was admitted.
   */
  async openBySubject(subject: string): Promise<OpenedLogin> {
    return inTransaction(this.#pool, async (sql) => {
      const known = await firstRow<{ person_id: string }>(
        sql,
        `select person_id from people
         where utility_id = $1 and island_id = $2 and subject = $3 and disabled_at is null`,
        [...this.#scope.place, subject],
      );
      if (known === undefined)
        throw new HeadEndError(
          "sign-in-refused",
          `nobody was admitted as ${subject}; who admits people here needs exactly that`,
        );
      return this.#open(sql, known.person_id, this.#now(), undefined);
    });
  }

  /** The person of that session has shown a passkey now. */
  async proven(cookie: string): Promise<Login | undefined> {
    await this.#pool.query(
      "update person_sessions set proven_at = $4 where utility_id = $1 and island_id = $2 and session_hash = $3",
      [...this.#scope.place, tokenHash(cookie), this.#now()],
    );
    return this.bySession(cookie);
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
       returning p.person_id, p.name, p.roles, s.signed_in_at, s.proven_at, s.expires_at`,
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

  async #makeLink(sql: Sql, person: string, reason: string, now: Date): Promise<string> {
    const token = newSecretToken("mks_");
    await sql.query(
      `delete from sign_in_links
       where utility_id = $1 and island_id = $2 and person_id = $3 and used_at is null`,
      [...this.#scope.place, person],
    );
    if (reason === "recover") await endWaysIn(sql, this.#scope, person);
    await sql.query(
      `insert into sign_in_links (utility_id, island_id, token_hash, person_id, reason, created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [...this.#scope.place, token.hash, person, reason, now, new Date(now.getTime() + LINK_MINUTES * 60_000)],
    );
    return token.text;
  }

  async #open(sql: Sql, person: string, now: Date, provenAt: Date | undefined): Promise<OpenedLogin> {
    const token = newSecretToken("mkc_");
    const row = await firstRow<PersonRow>(
      sql,
      `with opened as (
         insert into person_sessions (utility_id, island_id, session_hash, person_id, signed_in_at, last_seen_at, expires_at,
           proven_at)
         values ($1, $2, $3, $4, $5, $5, $6, $7)
       )
       select person_id, name, roles, $5::timestamptz as signed_in_at, $6::timestamptz as expires_at,
         $7::timestamptz as proven_at
       from people
       where utility_id = $1 and island_id = $2 and person_id = $4 and disabled_at is null`,
      [
        ...this.#scope.place,
        token.hash,
        person,
        now,
        new Date(now.getTime() + SESSION_HOURS * 3_600_000),
        provenAt ?? null,
      ],
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
       values ($1, $2, $3, $4 || coalesce((select ' ' || count(*) + 1 from people
         where utility_id = $1 and island_id = $2 and starts_with(name, $4) having count(*) > 0), ''), $5, $6)`,
      [...this.#scope.place, id, FIRST.name, [...FIRST.roles], now],
    );
    return id;
  }
}

/** Ends a person's sessions and passkeys. */
export async function endWaysIn(
  sql: Sql,
  scope: Scope,
  person: string,
): Promise<{ readonly sessions: number; readonly passkeys: number }> {
  const owned = [...scope.place, person];
  const sessions = await sql.query(
    "delete from person_sessions where utility_id = $1 and island_id = $2 and person_id = $3",
    owned,
  );
  const passkeys = await sql.query(
    "delete from passkeys where utility_id = $1 and island_id = $2 and person_id = $3",
    owned,
  );
  return { sessions: sessions.rowCount ?? 0, passkeys: passkeys.rowCount ?? 0 };
}

interface PersonRow {
  readonly person_id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly signed_in_at: Date;
  readonly proven_at: Date | null;
  readonly expires_at: Date;
}

function loginOfRow(row: PersonRow): Login {
  return {
    kind: "person",
    id: row.person_id,
    name: row.name,
    roles: row.roles,
    scopes: scopesOfRoles(row.roles),
    signedInAt: row.signed_in_at,
    provenAt: row.proven_at ?? undefined,
    expiresAt: row.expires_at,
  };
}

import { randomUUID } from "node:crypto";
import { type RoleName, rolesApart } from "@meterkeep/api";
import { seenName } from "@meterkeep/guard";
import { inTransaction, isUniqueViolation } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { endWaysIn } from "./logins.ts";

/** Somebody who was admitted, and what of theirs is open. */
export interface Person {
  readonly id: string;
  /** As the ledger and the custodian call them; never given again. */
  readonly name: string;
  readonly roles: readonly string[];
  /** Who they are at the organisation's provider. */
  readonly subject: string | undefined;
  readonly admittedAt: Date;
  readonly admittedBy: string | undefined;
  readonly lastSeenAt: Date | undefined;
  readonly leftAt: Date | undefined;
  readonly leftBy: string | undefined;
  readonly sessions: number;
  readonly passkeys: number;
  readonly tokens: number;
}

/** What ended at the head-end when a person left. */
export interface EndedLogins {
  readonly sessions: number;
  readonly passkeys: number;
  readonly links: number;
  readonly tokens: number;
}

/** What machines are called in the ledger, and hence nobody else. */
const KEPT_NAMES = /^(token |owner of this machine$|meterkeep|head-end$|depot$|operator$|page$)/i;
/** What nobody sees makes no other name. */
const INVISIBLE = /\p{Cf}/u;

/** Who there is: admitted, given roles that go together, and let go. Nobody is ever deleted: the ledger names them. */
export class People {
  readonly #pool: SqlPool;
  readonly #scope: Scope;
  readonly #now: () => Date;

  constructor(pool: SqlPool, scope: Scope, now: () => Date) {
    this.#pool = pool;
    this.#scope = scope;
    this.#now = now;
  }

  /** Everybody, those who have left last. */
  async list(): Promise<readonly Person[]> {
    return (await this.#select(this.#pool, "true", [])).map(personOfRow);
  }

  /** @throws HeadEndError `person-unknown`. */
  async get(id: string): Promise<Person> {
    const [row] = await this.#select(this.#pool, "p.person_id = $4", [id]);
    if (row === undefined) throw new HeadEndError("person-unknown", `nobody here has the id ${id}`);
    return personOfRow(row);
  }

  /** Checks what somebody is to be, before it is written anywhere. @throws HeadEndError `roles-apart`, `person-exists`. */
  check(roles: readonly RoleName[], name?: string): void {
    const pair = rolesApart(roles);
    if (pair !== undefined)
      throw new HeadEndError("roles-apart", `nobody is ${pair[0]} and ${pair[1]}: give one of them to somebody else`);
    if (name !== undefined && (KEPT_NAMES.test(seenName(name)) || name.trim() !== name || INVISIBLE.test(name)))
      throw new HeadEndError("person-exists", `a person cannot be called "${name}": the ledger calls others so`);
  }

  /** Admits a person. @throws HeadEndError `roles-apart`, `person-exists`. */
  async admit(
    { name, roles, subject }: { readonly name: string; readonly roles: readonly RoleName[]; readonly subject?: string },
    by: string,
  ): Promise<Person> {
    this.check(roles, name);
    const everybody = await rows<{ readonly name: string }>(
      this.#pool,
      "select name from people where utility_id = $1 and island_id = $2",
      [...this.#scope.place],
    );
    if (everybody.some((one) => seenName(one.name) === seenName(name)))
      throw new HeadEndError(
        "person-exists",
        `"${name}" looks like the name of somebody who is or was here: take another`,
      );
    const id = randomUUID();
    try {
      await this.#pool.query(
        `insert into people (utility_id, island_id, person_id, name, roles, subject, admitted_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [...this.#scope.place, id, name, [...roles], subject ?? null, by, this.#now()],
      );
    } catch (cause) {
      if (!isUniqueViolation(cause)) throw cause;
      throw new HeadEndError("person-exists", `"${name}", or that subject, is or was somebody's: take another`, {
        cause,
      });
    }
    return this.get(id);
  }

  /** Gives a person other roles, at once. @throws HeadEndError `roles-apart`, `person-unknown`, `person-last`. */
  async changeRoles(id: string, roles: readonly RoleName[]): Promise<Person> {
    this.check(roles);
    await inTransaction(this.#pool, async (sql) => {
      if (!roles.includes("administrator")) await this.#requireOther(sql, id);
      const done = await sql.query(
        `update people set roles = $4
         where utility_id = $1 and island_id = $2 and person_id = $3 and disabled_at is null`,
        [...this.#scope.place, id, [...roles]],
      );
      if (done.rowCount !== 1) throw new HeadEndError("person-unknown", `nobody who is still here has the id ${id}`);
    });
    return this.get(id);
  }

  /**
   * Lets a person go: from this moment no cookie, link, passkey or token of theirs opens anything. Done again it ends nothing
   * more. @throws HeadEndError `person-last`: nobody would be left who can admit people.
   */
  async dismiss(id: string, by: string): Promise<EndedLogins> {
    return inTransaction(this.#pool, async (sql) => {
      await this.#requireOther(sql, id);
      const now = this.#now();
      const owned = [...this.#scope.place, id];
      await sql.query(
        `update people set disabled_at = $4, disabled_by = $5
         where utility_id = $1 and island_id = $2 and person_id = $3 and disabled_at is null`,
        [...owned, now, by],
      );
      const links = await sql.query(
        "delete from sign_in_links where utility_id = $1 and island_id = $2 and person_id = $3 and used_at is null",
        owned,
      );
      const tokens = await sql.query(
        `update machine_tokens set withdrawn_at = $4
         where utility_id = $1 and island_id = $2 and created_by = $3 and withdrawn_at is null`,
        [...owned, now],
      );
      return { ...(await endWaysIn(sql, this.#scope, id)), links: links.rowCount ?? 0, tokens: tokens.rowCount ?? 0 };
    });
  }

  /** Holds all administrators still, so that two do not end each other's at one moment. */
  async #requireOther(sql: Sql, id: string): Promise<void> {
    const found = await rows<{ person_id: string }>(
      sql,
      `select person_id from people
       where utility_id = $1 and island_id = $2 and 'administrator' = any(roles) and disabled_at is null
       order by person_id for update`,
      [...this.#scope.place],
    );
    if (found.every(({ person_id }) => person_id === id))
      throw new HeadEndError("person-last", "make somebody else administrator first: nobody could admit people");
  }

  #select(sql: Sql, which: string, values: readonly unknown[]): Promise<readonly PersonRow[]> {
    return rows<PersonRow>(
      sql,
      `select p.*, s.sessions, s.last_seen_at, k.passkeys, t.tokens
       from people p
       cross join lateral (select count(*) filter (where expires_at > $3)::int as sessions, max(last_seen_at) as last_seen_at
         from person_sessions
         where (utility_id, island_id, person_id) = (p.utility_id, p.island_id, p.person_id)) s
       cross join lateral (select count(*)::int as passkeys from passkeys
         where (utility_id, island_id, person_id) = (p.utility_id, p.island_id, p.person_id)) k
       cross join lateral (select count(*)::int as tokens from machine_tokens
         where (utility_id, island_id, created_by) = (p.utility_id, p.island_id, p.person_id)
           and withdrawn_at is null and (expires_at is null or expires_at > $3)) t
       where p.utility_id = $1 and p.island_id = $2 and ${which}
       order by p.disabled_at is not null, p.created_at, p.name`,
      [...this.#scope.place, this.#now(), ...values],
    );
  }
}

interface PersonRow {
  readonly person_id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly subject: string | null;
  readonly created_at: Date;
  readonly admitted_by: string | null;
  readonly last_seen_at: Date | null;
  readonly disabled_at: Date | null;
  readonly disabled_by: string | null;
  readonly sessions: number;
  readonly passkeys: number;
  readonly tokens: number;
}

function personOfRow(row: PersonRow): Person {
  return {
    id: row.person_id,
    name: row.name,
    roles: row.roles,
    subject: row.subject ?? undefined,
    admittedAt: row.created_at,
    admittedBy: row.admitted_by ?? undefined,
    lastSeenAt: row.last_seen_at ?? undefined,
    leftAt: row.disabled_at ?? undefined,
    leftBy: row.disabled_by ?? undefined,
    sessions: row.sessions,
    passkeys: row.passkeys,
    tokens: row.tokens,
  };
}

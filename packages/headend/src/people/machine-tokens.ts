import { randomUUID } from "node:crypto";
import { TOKEN_SCOPES, type TokenScopeName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { Login } from "./logins.ts";
import { newSecretToken, tokenHash } from "./secret-token.ts";

/** A machine's token as it is listed: never with its secret. */
export interface MachineTokenRecord {
  readonly id: string;
  readonly name: string;
  readonly scope: TokenScopeName;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
}

const DEFAULT_DAYS = 365;

/** Tokens of machines: bearer secrets, kept as SHA-256. */
export class MachineTokens {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #now: () => Date;

  constructor(sql: Sql, scope: Scope, now: () => Date) {
    this.#sql = sql;
    this.#scope = scope;
    this.#now = now;
  }

  /** Makes a token; its text is given out here and never again. */
  async create(
    name: string,
    scope: TokenScopeName,
    createdBy: string | undefined,
    days = DEFAULT_DAYS,
  ): Promise<{ readonly token: string; readonly record: MachineTokenRecord }> {
    const secret = newSecretToken("mkt_");
    const now = this.#now();
    const row = await firstRow<TokenRow>(
      this.#sql,
      `insert into machine_tokens (utility_id, island_id, token_id, token_hash, name, scope, created_by, created_at,
         expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${COLUMNS}`,
      [
        ...this.#scope.place,
        randomUUID(),
        secret.hash,
        name,
        scope,
        createdBy ?? null,
        now,
        new Date(now.getTime() + days * DAY_MILLISECONDS),
      ],
    );
    return { token: secret.text, record: recordOfRow(row as TokenRow) };
  }

  async list(): Promise<readonly MachineTokenRecord[]> {
    const found = await rows<TokenRow>(
      this.#sql,
      `select ${COLUMNS} from machine_tokens
       where utility_id = $1 and island_id = $2 and withdrawn_at is null order by created_at desc`,
      [...this.#scope.place],
    );
    return found.map(recordOfRow);
  }

  /** @returns false when there is none of that id. */
  async withdraw(id: string): Promise<boolean> {
    const done = await this.#sql.query(
      `update machine_tokens set withdrawn_at = $4
       where utility_id = $1 and island_id = $2 and token_id = $3 and withdrawn_at is null`,
      [...this.#scope.place, id, this.#now()],
    );
    return done.rowCount === 1;
  }

  /** Who has that token, or undefined. */
  async byToken(text: string): Promise<Login | undefined> {
    const row = await firstRow<TokenRow>(
      this.#sql,
      `update machine_tokens set last_used_at = $4
       where utility_id = $1 and island_id = $2 and token_hash = $3 and withdrawn_at is null
         and (expires_at is null or expires_at > $4)
       returning ${COLUMNS}`,
      [...this.#scope.place, tokenHash(text), this.#now()],
    );
    if (row === undefined) return undefined;
    return {
      kind: "machine",
      id: row.token_id,
      name: `token ${row.name} (${row.token_id.slice(0, 8)})`,
      roles: ["machine"],
      scopes: TOKEN_SCOPES[row.scope],
      signedInAt: undefined,
      provenAt: undefined,
      expiresAt: row.expires_at ?? undefined,
    };
  }
}

const COLUMNS = "token_id, name, scope, created_at, expires_at, last_used_at";

interface TokenRow {
  readonly token_id: string;
  readonly name: string;
  readonly scope: TokenScopeName;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
}

function recordOfRow(row: TokenRow): MachineTokenRecord {
  return {
    id: row.token_id,
    name: row.name,
    scope: row.scope,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

import { randomUUID } from "node:crypto";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";

/** A public-key credential of a person; the private half never leaves the authenticator. */
export interface PasskeyRecord {
  readonly id: string;
  readonly person: string;
  readonly credentialId: string;
  readonly publicKey: Uint8Array;
  readonly signCount: number;
  readonly transports: readonly string[];
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** Passkeys of people. */
export class Passkeys {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #now: () => Date;

  constructor(sql: Sql, scope: Scope, now: () => Date) {
    this.#sql = sql;
    this.#scope = scope;
    this.#now = now;
  }

  async add(passkey: Omit<PasskeyRecord, "id" | "createdAt" | "lastUsedAt">): Promise<PasskeyRecord> {
    const row = await firstRow<PasskeyRow>(
      this.#sql,
      `insert into passkeys (utility_id, island_id, passkey_id, person_id, credential_id, public_key, sign_count, transports,
         name, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning ${COLUMNS}`,
      [
        ...this.#scope.place,
        randomUUID(),
        passkey.person,
        passkey.credentialId,
        Buffer.from(passkey.publicKey),
        passkey.signCount,
        [...passkey.transports],
        passkey.name,
        this.#now(),
      ],
    );
    return passkeyOfRow(row as PasskeyRow);
  }

  async byCredential(credentialId: string): Promise<PasskeyRecord | undefined> {
    const row = await firstRow<PasskeyRow>(
      this.#sql,
      `select ${COLUMNS} from passkeys where utility_id = $1 and island_id = $2 and credential_id = $3`,
      [...this.#scope.place, credentialId],
    );
    return row === undefined ? undefined : passkeyOfRow(row);
  }

  async ofPerson(person: string): Promise<readonly PasskeyRecord[]> {
    const found = await rows<PasskeyRow>(
      this.#sql,
      `select ${COLUMNS} from passkeys where utility_id = $1 and island_id = $2 and person_id = $3 order by created_at`,
      [...this.#scope.place, person],
    );
    return found.map(passkeyOfRow);
  }

  async used(id: string, signCount: number): Promise<void> {
    await this.#sql.query(
      `update passkeys set sign_count = $4, last_used_at = $5
       where utility_id = $1 and island_id = $2 and passkey_id = $3`,
      [...this.#scope.place, id, signCount, this.#now()],
    );
  }
}

const COLUMNS =
  "passkey_id, person_id, credential_id, public_key, sign_count, transports, name, created_at, last_used_at";

interface PasskeyRow {
  readonly passkey_id: string;
  readonly person_id: string;
  readonly credential_id: string;
  readonly public_key: Buffer;
  readonly sign_count: string;
  readonly transports: readonly string[];
  readonly name: string;
  readonly created_at: Date;
  readonly last_used_at: Date | null;
}

function passkeyOfRow(row: PasskeyRow): PasskeyRecord {
  return {
    id: row.passkey_id,
    person: row.person_id,
    credentialId: row.credential_id,
    publicKey: new Uint8Array(row.public_key),
    signCount: Number(row.sign_count),
    transports: row.transports,
    name: row.name,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

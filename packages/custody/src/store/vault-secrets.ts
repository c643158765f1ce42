import type { WrappedSecret } from "@meterkeep/hsm";
import { inTransaction } from "@meterkeep/postgres";
import type { Pool, PoolClient } from "pg";
import type { VaultSecret, VaultSecretRecords } from "./store.ts";

interface Row {
  readonly utility: string;
  readonly island: string;
  readonly version: number;
  readonly check_value: Buffer;
  readonly token: string;
  readonly wrapped_under: string;
  readonly wrapped: Buffer;
}

const SELECT = `select utility, island, version, check_value, token, wrapped_under, wrapped
  from vault_secret_copies where octet_length(wrapped) > 0`;

/** The vault secrets of tokens in PostgreSQL. */
export function vaultSecretsIn(pool: Pool): VaultSecretRecords {
  const find = async (utility: string, island: string): Promise<readonly VaultSecret[]> => {
    const where = "and utility = $1 and island = $2 order by version";
    return gathered((await pool.query<Row>(`${SELECT} ${where}`, [utility, island])).rows);
  };
  return {
    find,
    all: async () => gathered((await pool.query<Row>(`${SELECT} order by utility, island, version`)).rows),
    insert: async (secret) => {
      const { utility, island, version, checkValue } = secret;
      await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `insert into vault_secrets (utility, island, version, check_value) values ($1, $2, $3, $4)
           on conflict do nothing`,
          [utility, island, version, Buffer.from(checkValue)],
        );
        if (rowCount === 1) await insertCopies(client, secret);
      });
      return (await find(utility, island)).find((one) => one.version === version)!;
    },
    destroy: async ({ utility, island, version }) => {
      await pool.query(
        `update vault_secret_copies set wrapped = ''
         where (utility, island, version) = ($1, $2, $3) and octet_length(wrapped) > 0`,
        [utility, island, version],
      );
    },
    replaceCopies: ({ utility, island, version, copies }) =>
      inTransaction(pool, async (client) => {
        for (const [token, { octets }] of copies)
          await client.query(
            `update vault_secret_copies set wrapped = $5
             where (utility, island, version, token) = ($1, $2, $3, $4) and octet_length(wrapped) > 0`,
            [utility, island, version, token, Buffer.from(octets)],
          );
      }),
    addCopies: (secret) => inTransaction(pool, (client) => insertCopies(client, secret)),
  };
}

async function insertCopies(client: PoolClient, secret: VaultSecret): Promise<void> {
  const { utility, island, version, checkValue, copies } = secret;
  for (const [token, { octets, wrappedUnder }] of copies)
    await client.query(
      `insert into vault_secret_copies (utility, island, version, token, wrapped_under, wrapped, check_value)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict (utility, island, version, token) do nothing`,
      [utility, island, version, token, wrappedUnder, Buffer.from(octets), Buffer.from(checkValue)],
    );
}

function gathered(rows: readonly Row[]): readonly VaultSecret[] {
  const secrets = new Map<string, VaultSecret & { readonly copies: Map<string, WrappedSecret> }>();
  for (const { utility, island, version, check_value, token, wrapped_under, wrapped } of rows) {
    const name = JSON.stringify([utility, island, version]);
    const checkValue = new Uint8Array(check_value);
    const secret = secrets.get(name) ?? { utility, island, version, checkValue, copies: new Map() };
    secret.copies.set(token, { octets: new Uint8Array(wrapped), wrappedUnder: wrapped_under, checkValue });
    secrets.set(name, secret);
  }
  return [...secrets.values()];
}

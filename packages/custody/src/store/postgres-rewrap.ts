import type { PoolClient } from "pg";
import { CustodyError } from "../errors.ts";
import { titleOctets } from "./postgres-writes.ts";
import type { ResealedKey, VaultKeyRecord, Write } from "./store.ts";

// What is sealed is overwritten by two functions of the schema's owner, who alone may call them (and a restore, which does again
// what he has done): the role at run time cannot put octets in the place of others.

/** Gives the vault another root key. */
export async function rewrapVault(
  client: PoolClient,
  { formerProof, root, vaultKeys, newVaultKeys, secrets }: Extract<Write, { kind: "rewrap-vault" }>,
): Promise<void> {
  const { rows } = await client.query<{ whole: boolean }>(
    `select rewrap_vault($1, $2, $3, $4, $5::text[], $6::text[], $7::int[], $8::bytea[], $9::text[], $10::text[],
       $11::int[], $12::bytea[], $13::text[], $14::bytea[]) as whole`,
    [
      Buffer.from(formerProof),
      root.kind,
      root.parameters,
      Buffer.from(root.proof),
      ...columns(vaultKeys),
      ...columns(newVaultKeys),
      secrets.map(({ name }) => name),
      secrets.map(({ sealed }) => Buffer.from(sealed)),
    ],
  );
  if (rows[0]?.whole !== true)
    throw new CustodyError(
      "custody-write-conflict",
      "the vault is not what it was when its root key was to be changed",
    );
}

/** Puts keys that are sealed anew in their places; one that has changed since stays. */
export async function resealKeys(client: PoolClient, keys: readonly ResealedKey[]): Promise<void> {
  await client.query(
    "select reseal_keys($1::bytea[], $2::smallint[], $3::smallint[], $4::int[], $5::bytea[], $6::bytea[])",
    [
      keys.map(({ systemTitle }) => titleOctets(systemTitle)),
      keys.map(({ setup }) => setup),
      keys.map(({ purpose }) => purpose),
      keys.map(({ version }) => version),
      keys.map(({ former }) => Buffer.from(former)),
      keys.map(({ sealed }) => Buffer.from(sealed)),
    ],
  );
}

function columns(records: readonly VaultKeyRecord[]) {
  return [
    records.map(({ utility }) => utility),
    records.map(({ island }) => island),
    records.map(({ version }) => version),
    records.map(({ sealed }) => Buffer.from(sealed)),
  ];
}

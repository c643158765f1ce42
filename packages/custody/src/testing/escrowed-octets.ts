import { fromHex, toHex } from "@meterkeep/dlms";
import { openFileEscrow } from "../escrow/file-escrow.ts";
import type { Vault } from "../vault/vault.ts";
import { allOf } from "./key-escrow-contract.ts";

/** What the escrow in a folder gives with the vault alone: the octets of every key, in hexadecimal. */
export async function escrowedOctets(folder: string, vault: Pick<Vault, "unseal">): Promise<ReadonlySet<string>> {
  const escrow = await openFileEscrow(folder);
  const kept = await allOf(escrow);
  await escrow.close();
  const secrets = await vault.unseal(
    kept.map((key) => ({ place: { ...key, systemTitle: fromHex(key.systemTitle) }, sealed: key.sealed })),
  );
  return new Set(secrets.map((secret) => secret.lend(toHex)));
}

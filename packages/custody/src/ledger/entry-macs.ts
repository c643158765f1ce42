import { type Growth, type GrowthMacs, type LeafJudge, rootOf, type TreeHead } from "@meterkeep/ledger";
import { sameMac } from "../records/record-mac.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";

/** Half of an HMAC is kept with each entry. */
const ENTRY_MAC_BYTES = 16;

type Authenticating = Pick<Vault, "authenticate">;

/** Binds what is written to this custodian: each entry by its leaf, and size and root of the tree that ends with them. */
export async function growthMacs(vault: Authenticating, { entries, to }: Growth): Promise<GrowthMacs> {
  const { frontier } = to;
  const head = { size: frontier.size, root: rootOf(frontier) };
  const texts = [endText(head), ...entries.map(({ leaf }) => entryText(leaf))];
  const [end, ...macs] = await vault.authenticate(texts);
  return { end: end as Uint8Array, entries: macs.map((mac) => mac.subarray(0, ENTRY_MAC_BYTES)) };
}

/** What the vault makes over the end of a commit that made the tree this one. */
export async function endMac(vault: Authenticating, head: TreeHead): Promise<Uint8Array> {
  const [mac] = await vault.authenticate([endText(head)]);
  return mac as Uint8Array;
}

/** Tells entries that this custodian wrote. */
export function leafJudge(vault: Authenticating): LeafJudge {
  return async (entries) => {
    const macs = await vault.authenticate(entries.map(({ leaf }) => entryText(leaf)));
    return entries.map(({ mac }, at) => sameMac(mac, macs[at]?.subarray(0, ENTRY_MAC_BYTES)));
  };
}

function endText({ size, root }: TreeHead): Uint8Array {
  return boundData("meterkeep-ledger-end-1", String(size), root);
}

/** The leaf is over a line that begins with the entry's sequence. */
function entryText(leaf: Uint8Array): Uint8Array {
  return boundData("meterkeep-ledger-entry-1", leaf);
}

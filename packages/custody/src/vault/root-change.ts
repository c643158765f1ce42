import type { ApprovedChange, Changes } from "../authority/changes.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { OpenedVault } from "./open-vault.ts";
import type { RootKeySource } from "./root-key.ts";

/** The entry of a vault that has another root key. */
const ROOT_CHANGED = "vault-root-changed";

/** What came of a change of the root key. */
export interface RootChanged {
  /** Ids of root keys, 16 hex digits each. */
  readonly from: string;
  readonly to: string;
  readonly vaultKeys: number;
  readonly secrets: number;
  /** Where the former root key's file is kept; undefined where it was in none. */
  readonly former: string | undefined;
}

export interface RootChangeDependencies {
  readonly opened: Pick<OpenedVault, "rewrap" | "rootId" | "rootKey">;
  readonly changes: Pick<Changes, "require" | "requireApproved">;
  readonly now: () => number;
}

/**
 * Gives the vault another root key (ADR 0052): all that it is made of is sealed anew in one commit with the entry that says
 * so. The former root key opens nothing of the database from then on, and every backup from before.
 *
 * @throws CallRefusal `approval-required`; CustodyError `vault-rewrap-refused` where the vault is in tokens
 */
export async function changeRoot(
  { opened, changes, now }: RootChangeDependencies,
  next: RootKeySource,
  caller: Caller,
  reason: string,
): Promise<RootChanged> {
  const { rewrap, rootId, rootKey } = opened;
  if (rewrap === undefined || rootId === undefined)
    throw new CustodyError(
      "vault-rewrap-refused",
      "the vault is in tokens, which have no root key: put another token into the tokens file, and take the old one out when the new one has caught up",
    );
  const body = { root: rootId, to: next.kind };
  // Asked first: no root key is made, and lies in clear, while people think about it.
  await changes.requireApproved("rewrap-vault", body, caller, reason);
  const { write, from, to, adopt, drop } = await rewrap(next);
  const counts = { vaultKeys: write.vaultKeys.length, secrets: write.secrets.length };
  // One commit: an approval is burnt by what it was for, and by nothing else.
  const doing = ({ hash, approvedBy }: ApprovedChange) => {
    const said = {
      from,
      to,
      was: rootKey,
      is: next.kind,
      ...counts,
      reason,
      ...(hash && { change: hash, approvedBy }),
    };
    return { writes: [write], entries: [installationEntry(now(), ROOT_CHANGED, caller.name, said)] };
  };
  await changes.require("rewrap-vault", body, caller, reason, { doing }).catch(async (error: unknown) => {
    if (isUndone(error)) await drop();
    throw error;
  });
  return { from, to, ...counts, former: await adopt() };
}

/**
 * Whether a commit that failed is known not to have happened: the database said no. Where its answer is missing it may have
 * happened, and the new root key is all that opens the vault then: the next start knows, by the record.
 */
function isUndone(error: unknown): boolean {
  if (error instanceof CallRefusal) return true;
  if (error instanceof CustodyError) return error.code === "custody-write-conflict";
  return (error as { severity?: string } | undefined)?.severity === "ERROR";
}

import type { ReceiveWindows } from "../protocol/receive-windows.ts";
import type { Change, Committer } from "../store/committer.ts";
import type { WindowRecord } from "../store/records.ts";
import type { Vault } from "../vault/vault.ts";
import { acceptedMark } from "./marks.ts";
import { acceptedMacs, withWindowMacs } from "./record-mac.ts";

/** What windows are kept with. */
export interface KeepingWindows {
  readonly committer: Committer;
  readonly vault: Pick<Vault, "authenticate">;
  readonly receiveWindows: Pick<ReceiveWindows, "due" | "marked">;
  readonly now: () => number;
}

/**
 * Makes windows durable, in one commit with the change they belong to: their rows, and the ledger's marks of those that have gone
 * far since the last one.
 */
export async function keepWindows(
  { committer, vault, receiveWindows, now }: KeepingWindows,
  windows: readonly WindowRecord[],
  change: Pick<Change, "entries" | "canWait"> = {},
): Promise<void> {
  if (windows.length === 0) return committer.submit(change);
  const at = now();
  const due = receiveWindows.due(windows, at);
  const [rows, macs] = await Promise.all([
    withWindowMacs(vault, windows),
    due.length === 0 ? [] : acceptedMacs(vault, due),
  ]);
  await committer.submit({
    ...change,
    writes: [{ kind: "put-windows", windows: rows }],
    entries: [...(change.entries ?? []), ...due.map((window, index) => acceptedMark(window, macs[index], at))],
  });
  // Not before: a commit may fail, and the next one has to mark them then.
  receiveWindows.marked(due, at);
}

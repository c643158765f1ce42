import type { LedgerDraft } from "@meterkeep/ledger";
import type { ReceiveWindows } from "../protocol/receive-windows.ts";
import type { WindowRecord } from "../store/records.ts";
import type { Write } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { acceptedMark } from "./marks.ts";
import { acceptedMacs, withWindowMacs } from "./record-mac.ts";

/** What windows are kept with. */
export interface KeepingWindows {
  readonly vault: Pick<Vault, "authenticate">;
  readonly receiveWindows: Pick<ReceiveWindows, "due">;
  readonly now: () => number;
}

/** What makes windows durable: their rows, and in the same commit the ledger's marks of those that have gone far since the last one. */
export async function keptWindows(
  { vault, receiveWindows, now }: KeepingWindows,
  windows: readonly WindowRecord[],
): Promise<{ readonly writes: readonly Write[]; readonly entries: readonly LedgerDraft[] }> {
  if (windows.length === 0) return { writes: [], entries: [] };
  const at = now();
  const due = receiveWindows.due(windows, at);
  const [rows, macs] = await Promise.all([
    withWindowMacs(vault, windows),
    due.length === 0 ? [] : acceptedMacs(vault, due),
  ]);
  return {
    writes: [{ kind: "put-windows", windows: rows }],
    entries: due.map((window, index) => acceptedMark(window, macs[index], at)),
  };
}

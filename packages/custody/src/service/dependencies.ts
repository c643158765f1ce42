import type { SystemTitle } from "@meterkeep/dlms";
import type { ReceiveWindows } from "../protocol/receive-windows.ts";
import type { SendCounters } from "../protocol/send-counters.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Pace } from "../takeover/candidates.ts";
import type { Vault } from "../vault/vault.ts";

/** What everything that speaks to meters needs. */
export interface ConversationDependencies {
  readonly store: Pick<CustodyStore, "load" | "loadPage">;
  readonly committer: Committer;
  readonly vault: Vault;
  readonly sendCounters: SendCounters;
  readonly receiveWindows: ReceiveWindows;
  readonly random: (octets: number) => Uint8Array;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Our own title towards the meters of a utility. */
  readonly clientTitle: (utility: string) => SystemTitle;
  readonly pace: Pace;
}

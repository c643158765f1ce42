import type { SystemTitle } from "@meterkeep/dlms";
import type { LeavingMeters } from "../departure/leaving-meters.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { ReceiveWindows } from "../protocol/receive-windows.ts";
import type { SendCounters } from "../protocol/send-counters.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { KeepingOf } from "../session/session-keys.ts";
import type { Committer } from "../store/committer.ts";
import type { Vault } from "../vault/vault.ts";

/** What everything that speaks to meters needs. */
export interface ConversationDependencies {
  /** The store, read through the MACs of its rows. */
  readonly files: CheckedFiles;
  readonly committer: Committer;
  /** For entries that a caller can cause as often as it likes. */
  readonly bursts: EntryBursts;
  readonly vault: Vault;
  readonly sendCounters: SendCounters;
  readonly receiveWindows: ReceiveWindows;
  /** What is refused of meters that are about to leave. */
  readonly leaving: LeavingMeters;
  readonly random: (octets: number) => Uint8Array;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** How long sessions have keys in clear. */
  readonly keeping: KeepingOf;
  /** Our own title towards the meters of a utility. */
  readonly clientTitle: (utility: string) => SystemTitle;
}

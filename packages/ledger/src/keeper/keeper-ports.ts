import type { LedgerKeys } from "../checkpoint/keys.ts";
import type { Checkpoint } from "../checkpoint/note.ts";
import type { LedgerSigner } from "../checkpoint/signer.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { LedgerDraft } from "../entry.ts";
import type { LedgerError } from "../errors.ts";
import type { LedgerReads } from "../store.ts";
import type { TreeHead } from "../tree/verify-proofs.ts";
import type { Witness } from "../witness/witness.ts";
import type { ApprovedChange, Approver, LedgerChange } from "./change.ts";
import type { LedgerHistory } from "./history.ts";
import type { WitnessState } from "./witness-desk.ts";

/** How often checkpoints are made, when one is late, and how long a witness may be away. */
export interface KeeperSettings {
  readonly everyEntries: number;
  readonly everySeconds: number;
  /** People hear of it when entries wait for longer than that for a checkpoint that is stored. */
  readonly latestSeconds: number;
  readonly longestAwaySeconds: number;
}

export const DEFAULT_KEEPER_SETTINGS: KeeperSettings = {
  everyEntries: 4096,
  everySeconds: 30,
  latestSeconds: 300,
  longestAwaySeconds: 24 * 3600,
};

/** What a ledger is kept with. */
export interface KeeperPorts {
  readonly reads: LedgerReads;
  readonly checkpoints: CheckpointStore;
  readonly witnesses: readonly Witness[];
  /** The ledger as this process has committed it. */
  readonly head: () => Promise<TreeHead>;
  /** The same where it may be signed: whatever has to be said of it first is durable. Throws where that cannot be. */
  readonly signableHead: () => Promise<TreeHead>;
  readonly append: (...drafts: readonly LedgerDraft[]) => Promise<void>;
  /**
   * Computes what is stored above the leaves anew, where that is of no use: a tree that seems to be another may be the same.
   *
   * @returns whether any of it was another
   */
  readonly renewNodes?: () => Promise<boolean>;
  /** The signer of a version; made where there is none. */
  readonly signer: (version: number) => Promise<LedgerSigner>;
  /** The public keys of every signer that there is, whether it has been announced or not. */
  readonly keys: () => Promise<readonly LedgerKeys[]>;
  readonly now: () => number;
  readonly settings: KeeperSettings;
  readonly approvers: readonly Approver[];
  /** What two people have approved, where there is such a thing. */
  readonly approved: ApprovedChange | undefined;
  /** The names of its witnesses, kept where whoever owns the database has no hand in it. */
  readonly named?: NamedWitnesses | undefined;
}

/** Which witnesses a ledger must have, besides what its own entry says, which somebody may have changed. */
export interface NamedWitnesses {
  read(): Promise<readonly string[]>;
  keep(names: readonly string[]): Promise<void>;
}

/** How a ledger is kept, for people. */
export interface KeeperState {
  readonly log: string | undefined;
  readonly keys: LedgerHistory["keys"];
  readonly checkpoint: { readonly checkpoint: Checkpoint; readonly note: string } | undefined;
  readonly witnesses: readonly WitnessState[];
  readonly halt: LedgerError | undefined;
  /** Entries wait for a checkpoint for longer than they should. */
  readonly late: LedgerError | undefined;
  /** The change that would have to be approved to go on. */
  readonly wanted: LedgerChange | undefined;
}

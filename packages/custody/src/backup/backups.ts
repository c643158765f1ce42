import { randomBytes } from "node:crypto";
import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import type { CheckpointStore, LedgerEntry, LedgerKeeper, LedgerReads } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Handles } from "../calls/handles.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer, GroupCommitter } from "../store/committer.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { isWhole, toldFaults } from "./ledger-faults.ts";
import { BACKUP_CREATED, type BackupFacts, manifestOf } from "./manifest.ts";
import type { RecoveryRecipient } from "./recovery-key.ts";
import { BackupSealer } from "./sealed-backup.ts";
import type { Snapshot, SnapshotSource } from "./snapshot.ts";

const ID_BYTES = 12;
/** A backup that nobody takes chunks of for so long is dropped: its snapshot holds back the database's vacuum. */
const IDLE_MILLISECONDS = 5 * 60_000;
const MOST_BACKUPS = 2;

/** What backups are made with. */
export interface BackupDependencies {
  /** Absent where the store has none: in memory. */
  readonly snapshots: SnapshotSource | undefined;
  readonly recipients: readonly RecoveryRecipient[];
  /** Which root key opens the vault, where it has one. */
  readonly rootKey?: string | undefined;
  readonly committer: Committer & Pick<GroupCommitter, "edge">;
  readonly reads: LedgerReads;
  readonly checkpoints: Pick<CheckpointStore, "list">;
  readonly keeper: Pick<LedgerKeeper, "checkpoint" | "history" | "state">;
  readonly feed: Pick<ChangeFeed, "begin">;
  readonly now: () => number;
}

interface LiveBackup {
  readonly caller: Caller;
  readonly id: string;
  readonly createdAt: number;
  readonly snapshot: Snapshot;
  readonly lines: AsyncGenerator<string>;
  readonly sealer: BackupSealer;
  octets: number;
  isDone: boolean;
  busy: boolean;
}

/**
 * Makes backups: the whole database of one moment, sealed to the recovery recipients before an octet leaves. Keys of
 * meters are in it as they lie in the database, sealed in the vault, so that who opens a backup has none of them without
 * the vault's root.
 *
 * States of a backup: *sealing* (`chunk` gives the next part), *sealed* (`finish` gives the manifest), *gone*.
 */
export class Backups {
  readonly #dependencies: BackupDependencies;
  readonly #live = new Handles<LiveBackup>();

  constructor(dependencies: BackupDependencies) {
    this.#dependencies = dependencies;
  }

  async begin(caller: Caller): Promise<CustodianResponse<"beginBackup">> {
    const { snapshots, recipients, committer, keeper, feed, now } = this.#dependencies;
    if (snapshots === undefined || recipients.length === 0)
      throw new CallRefusal(
        "backup-not-possible",
        "nobody could open a backup: no recovery recipient is configured (npx meterkeep backup key)",
      );
    if (this.#live.size >= MOST_BACKUPS) throw new CallRefusal("too-many-open", `${MOST_BACKUPS} backups are open`);
    const id = randomBytes(ID_BYTES).toString("hex");
    const createdAt = now();
    const body = { backup: id, recipients: recipients.map(({ name, keyId }) => ({ name, keyId })) };
    await committer.submit({ entries: [installationEntry(createdAt, "backup-begun", caller.name, body)] });
    // The checkpoint is in the snapshot: whoever opens it can verify the ledger that came with it.
    await keeper.checkpoint();
    const head = keeper.state.checkpoint?.checkpoint;
    // Before the snapshot: what is noted in the new segment may be in it already, nothing is missing between them.
    await feed.begin((await this.#dependencies.reads.follow(head?.size ?? 0)).last);
    const snapshot = await snapshots.open(head);
    const sealer = new BackupSealer(id, createdAt, recipients);
    const live: LiveBackup = {
      caller,
      id,
      createdAt,
      snapshot,
      lines: snapshot.lines(),
      sealer,
      octets: sealer.header.length,
      isDone: false,
      busy: false,
    };
    const backup = this.#live.add(live, now());
    return { backup, id, header: sealer.header };
  }

  async chunk({ backup }: CustodianRequest<"backupChunk">, caller: Caller): Promise<CustodianResponse<"backupChunk">> {
    const live = this.#find(backup, caller);
    if (live.isDone || live.busy) throw new CallRefusal("backup-unknown", "this backup has no further chunk");
    live.busy = true;
    try {
      for (;;) {
        const next = await live.lines.next();
        live.isDone = next.done === true;
        if (!live.isDone && !live.sealer.add(next.value as string)) continue;
        const octets = live.sealer.take(live.isDone);
        live.octets += octets.length;
        if (live.isDone) await live.snapshot.close();
        return { octets, isLast: live.isDone };
      }
    } catch (error) {
      await this.#drop(backup, live);
      throw error;
    } finally {
      live.busy = false;
    }
  }

  /** Says in the ledger what the backup is, and proves it. */
  async finish(
    { backup }: CustodianRequest<"finishBackup">,
    caller: Caller,
  ): Promise<CustodianResponse<"finishBackup">> {
    const { committer, keeper, reads, checkpoints, recipients, rootKey, now } = this.#dependencies;
    const live = this.#find(backup, caller);
    if (!live.isDone) throw new CallRefusal("backup-unknown", "this backup is not complete yet");
    this.#live.remove(backup);
    const facts: BackupFacts = {
      backup: live.id,
      createdAt: live.createdAt,
      ...live.sealer.digests(),
      octets: live.octets,
      ledgerSize: live.snapshot.ledgerSize,
      recipients: recipients.map(({ name, keyId }) => ({ name, keyId })),
      ...(rootKey !== undefined && { rootKey }),
      ...(!isWhole(live.snapshot.faults) && { faults: toldFaults(live.snapshot.faults) }),
    };
    live.sealer[Symbol.dispose]();
    const before = keeper.state.checkpoint?.checkpoint.size ?? 0;
    // What of the ledger is gone by now is needed for no proof of what follows.
    const { frontier } = await committer.edge();
    await committer.submit({ entries: [installationEntry(now(), BACKUP_CREATED, caller.name, facts)] });
    await keeper.checkpoint();
    const note = keeper.state.checkpoint?.note;
    const written = await entryOf(reads, before, live.id);
    if (note === undefined || written === undefined)
      throw new CallRefusal("custodian-failed", "the ledger has no checkpoint over this backup");
    const manifest = await manifestOf(reads, checkpoints, await keeper.history(), written, note, frontier);
    return { manifest: JSON.stringify(manifest) };
  }

  /** Drops what nobody takes. */
  async sweep(): Promise<void> {
    for (const [handle, live] of this.#live.idleSince(this.#dependencies.now() - IDLE_MILLISECONDS))
      await this.#drop(handle, live);
  }

  async closeAll(): Promise<void> {
    for (const [handle, live] of [...this.#live.entries()]) await this.#drop(handle, live);
  }

  async #drop(handle: string, live: LiveBackup): Promise<void> {
    this.#live.remove(handle);
    live.sealer[Symbol.dispose]();
    await live.snapshot.close();
  }

  #find(handle: string, caller: Caller): LiveBackup {
    const live = this.#live.find(handle, caller, this.#dependencies.now());
    if (live === undefined) throw new CallRefusal("backup-unknown", "no such backup is open for this principal");
    return live;
  }
}

async function entryOf(reads: LedgerReads, after: number, backup: string): Promise<LedgerEntry | undefined> {
  for (let from = after; ; ) {
    const page = await reads.read(from, 200);
    const found = page.find(({ kind, body }) => kind === BACKUP_CREATED && body.includes(`"backup":"${backup}"`));
    if (found !== undefined || page.length === 0) return found;
    from = (page.at(-1) as LedgerEntry).sequence;
  }
}

import { createReadStream } from "node:fs";
import {
  type CheckpointStore,
  derivedNodes,
  type LedgerStore,
  parseNote,
  postgresCheckpointStore,
  postgresLedgerStore,
  rootAt,
  type StoredNodes,
} from "@meterkeep/ledger";
import { createPool, prepareSchema } from "@meterkeep/postgres";
import { becomeInstance } from "../standby/instance.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { changesIn } from "./change-feed.ts";
import { isWhole, LedgerFaultFinder, type LedgerFaults, type ToldFaults, toldFaults } from "./ledger-faults.ts";
import { loadSnapshot } from "./load-snapshot.ts";
import type { RecoveryPrivateKey } from "./recovery-key.ts";
import { type Replayed, replay } from "./replay.ts";
import { backupHeader, openBackup } from "./sealed-backup.ts";

/** What a database is restored from, and where. */
export interface RestoreOptions {
  /** The sealed file of the backup. */
  readonly file: string;
  readonly key: RecoveryPrivateKey;
  /** Where the change feed lies, if it survived. */
  readonly feedFolder?: string | undefined;
  /** The empty database, as the role at run time and as its owner. */
  readonly database: string;
  readonly ownerDatabase: string;
  readonly version: string;
  readonly now: () => number;
}

/** What is in the restored database. */
export interface Restored {
  readonly backup: string;
  readonly createdAt: number;
  readonly tables: Readonly<Record<string, number>>;
  /** Ledger entries: in the backup, and after the feed. */
  readonly backupEntries: number;
  readonly entries: number;
  /** What of the ledger is not as it was written; absent where all is. It is restored all the same: what was changed counts nowhere. */
  readonly faults?: ToldFaults;
  /** Absent without a feed. */
  readonly replayed?: Replayed;
  /** When the last change was made that is in it, milliseconds since 1970 UTC. */
  readonly knownUntil: number;
}

/**
 * Restores a custodian's database into an empty one: the backup, then what the feed has noted since. The database then says
 * that it was restored, so that its custodian adopts the escrow and leaves out counters before it serves anybody; a
 * witness that has seen more halts it first, until two people have approved the loss.
 *
 * A restore that is killed leaves an empty database, or one that says that it was restored.
 *
 * @throws CustodyError `backup-not-authentic`, `restore-refused`
 */
export async function restoreDatabase(options: RestoreOptions): Promise<Restored> {
  const { file, key, feedFolder, database, ownerDatabase, version, now } = options;
  const { backup, createdAt } = await backupHeader(createReadStream(file));
  // Its password is void once the schema is there, and it has the last word after the feed, which takes as long as it takes.
  const owner = createPool(ownerDatabase, { applicationName: "meterkeep-restore", maxConnections: 1, staysOpen: true });
  const pool = createPool(database, { applicationName: "meterkeep-restore" });
  try {
    const restoredAt = now();
    const lines = openBackup(createReadStream(file), key);
    const loaded = await loadSnapshot(owner, lines, CUSTODY_MIGRATIONS, version, {
      backup,
      restoredAt,
      knownUntil: createdAt,
    });
    await prepareSchema({ pool, ownerUrl: ownerDatabase, sources: CUSTODY_MIGRATIONS, version });
    const store = postgresCustodyStore(pool);
    await owner.query("select take_statistics()");
    // As its owner: no custodian has taken this database over yet.
    const faults = await renewedTree(postgresLedgerStore(owner), postgresCheckpointStore(owner), loaded.ledgerSize);
    let replayed: Replayed | undefined;
    if (feedFolder !== undefined) {
      const instance = await becomeInstance(pool, { holder: "restore", onLost: () => undefined });
      try {
        replayed = await replay(store, changesIn(feedFolder));
      } finally {
        await instance.release();
      }
    }
    const knownUntil = Math.max(createdAt, replayed?.until ?? createdAt);
    await owner.query("update restorations set known_until_ms = $1 where (backup, restored_ms) = ($2, $3)", [
      knownUntil,
      backup,
      restoredAt,
    ]);
    const entries = await store.ledger.size();
    return {
      backup,
      createdAt,
      tables: loaded.tables,
      backupEntries: loaded.ledgerSize,
      entries,
      ...(!isWhole(faults) && { faults: toldFaults(faults) }),
      ...(replayed && { replayed }),
      knownUntil,
    };
  } finally {
    await owner.end();
    await pool.end();
  }
}

/**
 * Computes anew what is stored of the ledger's tree above the leaves, whatever the backup has there, and looks for what is not as it
 * was written. That is no reason to refuse: its custodian judges each entry and each end by MACs when it starts, and does not believe
 * what is not its own.
 */
async function renewedTree(ledger: LedgerStore, checkpoints: CheckpointStore, size: number): Promise<LedgerFaults> {
  const note = (await checkpoints.last(size))?.note;
  const head = note === undefined ? undefined : parseNote(note).checkpoint;
  const finder = new LedgerFaultFinder(undefined);
  for (let after = 0; after < size; ) {
    const page = (await ledger.rows(after, ROWS_AT_ONCE)).filter(({ entry }) => entry.sequence <= size);
    finder.take(page);
    after = page.at(-1)?.entry.sequence ?? size;
  }
  const derived = await derivedNodes(ledger, size, "stored");
  const comesTo = async (nodes: StoredNodes) => {
    const root = head && (await rootAt(nodes, head.size));
    return root !== undefined && Buffer.from(root).equals(head?.root ?? new Uint8Array());
  };
  const isDerived = await comesTo(derived);
  // A leaf that was changed beside its text leaves what is stored above it; where that is signed, it is the tree.
  const isKept = !isDerived && (await comesTo(ledger));
  for (let at = 0; !isKept && at < derived.others.length; at += ROWS_AT_ONCE)
    await ledger.putNodes(derived.others.slice(at, at + ROWS_AT_ONCE));
  return { ...finder.found(size), isOther: head !== undefined && !isDerived };
}

const ROWS_AT_ONCE = 1000;

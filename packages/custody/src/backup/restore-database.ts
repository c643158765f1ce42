import { createReadStream } from "node:fs";
import { auditStored, edgeOf } from "@meterkeep/ledger";
import { createPool, prepareSchema } from "@meterkeep/postgres";
import { CustodyError } from "../errors.ts";
import { becomeInstance } from "../standby/instance.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { changesIn } from "./change-feed.ts";
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
  const owner = createPool(ownerDatabase, { applicationName: "meterkeep-restore", maxConnections: 1 });
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
    await requireWhole(store.ledger, loaded.ledgerSize);
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
      ...(replayed && { replayed }),
      knownUntil,
    };
  } finally {
    await owner.end();
    await pool.end();
  }
}

/** The ledger that came with the backup hashes to what its own tree says, leaf by leaf. */
async function requireWhole(ledger: Parameters<typeof auditStored>[0], size: number): Promise<void> {
  const audit = await auditStored(ledger);
  const { frontier } = await edgeOf(ledger);
  if (frontier.size !== size || audit.fault !== undefined)
    throw new CustodyError(
      "backup-not-authentic",
      `the ledger in the backup is not whole: ${audit.fault ?? `${frontier.size} entries of ${size}`}`,
    );
}

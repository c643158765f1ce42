import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  type CheckpointStore,
  entryLine,
  type Frontier,
  includes,
  inclusionProof,
  isSignedBy,
  KEYS_ANNOUNCED,
  keysFromJson,
  keysJson,
  type LedgerEntry,
  LedgerError,
  type LedgerHistory,
  type LedgerKeys,
  type LedgerReads,
  leafOfLine,
  logName,
  type Note,
  parseNote,
  type ReadNode,
  readerBehind,
  readerOf,
} from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";
import type { ToldFaults } from "./ledger-faults.ts";

/** Kind of the entry that says what a backup is. */
export const BACKUP_CREATED = "backup-created";

/** What a backup is: the body of its entry in the ledger. */
export interface BackupFacts {
  readonly backup: string;
  readonly createdAt: number;
  /** SHA-256 of the sealed file, and of the lines in it; hex. */
  readonly sealed: string;
  readonly plain: string;
  readonly octets: number;
  /** Entries of the ledger that are in it. */
  readonly ledgerSize: number;
  readonly recipients: readonly { readonly name: string; readonly keyId: string }[];
  /** Which root key opens the vault in it, 16 hex digits; none where the vault is in tokens. */
  readonly rootKey?: string;
  /** What of the ledger in it is not as it was written, as far as can be listed; absent where all is. */
  readonly faults?: ToldFaults;
}

/**
 * A backup's manifest: the ledger's entry about it, with the proof that the entry is in a signed checkpoint. It needs no
 * signature of its own: the ledger has two, and witnesses.
 */
export interface BackupManifest {
  readonly format: "meterkeep-backup-manifest-1";
  readonly log: string;
  readonly keys: readonly ReturnType<typeof keysJson>[];
  /** The line that is hashed into the ledger. */
  readonly entry: string;
  readonly sequence: number;
  /** Hex. */
  readonly proof: readonly string[];
  readonly checkpoint: string;
  /** How each version of the keys after the first follows from the one before. */
  readonly changes: readonly KeyChange[];
}

/** The entry that announces new keys, in a checkpoint that the former ones have signed. */
interface KeyChange {
  readonly entry: string;
  /** Hex. */
  readonly proof: readonly string[];
  readonly checkpoint: string;
}

/** Checkpoints that are looked through for one that the former keys have signed. */
const CHECKPOINTS_AT_ONCE = 100;

/**
 * Makes the manifest of a backup whose entry a checkpoint covers, whatever of the entries before it is gone.
 *
 * @param before where the ledger ended at most before that entry
 * @throws CallRefusal `custodian-failed` where an entry since then is gone: nothing proves the backup
 */
export async function manifestOf(
  reads: LedgerReads,
  checkpoints: Pick<CheckpointStore, "list">,
  { keys, log }: Pick<LedgerHistory, "keys" | "log">,
  entry: LedgerEntry,
  checkpoint: string,
  before: Frontier,
): Promise<BackupManifest> {
  const proven = async ({ sequence }: LedgerEntry, note: string, read: ReadNode): Promise<string[] | undefined> => {
    const { size } = parseNote(note).checkpoint;
    try {
      return (await inclusionProof(read, sequence - 1, size)).map((hash) => Buffer.from(hash).toString("hex"));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  };
  const changes: KeyChange[] = [];
  for (const [at, { entry: announced }] of keys.slice(1).entries()) {
    const former = (keys[at] as (typeof keys)[number]).keys;
    if (announced === undefined) break;
    const listed = await checkpoints.list(announced.sequence, CHECKPOINTS_AT_ONCE);
    const signed = listed.find(({ note }) => isSigned(note, former));
    const proof = signed && (await proven(announced, signed.note, readerOf(reads)));
    // Who has no such checkpoint, or no proof since an entry is gone, needs the keys from elsewhere, and is told so.
    if (signed === undefined || proof === undefined) break;
    changes.push({ entry: entryLine(announced), proof, checkpoint: signed.note });
  }
  const proof = await proven(entry, checkpoint, readerBehind(before, reads));
  if (proof === undefined)
    throw new CallRefusal(
      "custodian-failed",
      `entries of the ledger between ${before.size} and its checkpoint are gone, written and taken away while the backup was made: nothing proves it; make another one`,
    );
  return {
    format: "meterkeep-backup-manifest-1",
    log: log ?? "",
    keys: keys.map((one) => keysJson(one.keys)),
    entry: entryLine(entry),
    sequence: entry.sequence,
    proof,
    checkpoint,
    changes,
  };
}

/** A row that somebody else has put there may be no checkpoint. */
function isSigned(text: string, keys: LedgerKeys): boolean {
  try {
    const note = parseNote(text);
    return isSignedBy(note, note.checkpoint.log, keys);
  } catch (error) {
    if (error instanceof LedgerError) return false;
    throw error;
  }
}

/** A manifest that holds, and what its signatures rest on. */
export interface VerifiedManifest {
  readonly facts: BackupFacts;
  readonly log: string;
  /** True when the keys were compared with given ones; else the ledger's name must be, since it names the keys. */
  readonly keysGiven: boolean;
}

/**
 * Verifies a manifest: the entry is in the checkpoint, the checkpoint is signed twice by the ledger's keys.
 *
 * @param trusted keys of the ledger that came another way; without them the first keys, which its name tells, count, and
 *   those that follow from them: announced by an entry in a checkpoint that the ones before have signed
 * @throws CustodyError `backup-not-authentic`
 */
export function verifyManifest(text: string, trusted?: readonly LedgerKeys[]): VerifiedManifest {
  const manifest = parsed(text);
  const note = parseNote(manifest.checkpoint);
  const named = manifest.keys.map(keysFromJson);
  const [first] = named;
  const epoch = Number(manifest.log.split("/")[2] ?? "1");
  const own = first !== undefined && logName(first, epoch) === manifest.log ? [first] : [];
  const keys = trusted ?? followed(own, manifest);
  const signed = keys.some((one) => isSignedBy(note, note.checkpoint.log, one));
  if (!signed || note.checkpoint.log !== manifest.log)
    throw notAuthentic(
      trusted === undefined && named.length > 1
        ? "its checkpoint is signed by later keys than those its name tells: give the ledger's keys"
        : "its checkpoint is not signed by the ledger",
    );
  if (!isIn(note, manifest.sequence, manifest)) throw notAuthentic("its entry is not in the checkpoint");
  const entry = JSON.parse(manifest.entry) as { readonly kind: string; readonly body: BackupFacts };
  if (entry.kind !== BACKUP_CREATED) throw notAuthentic("its entry is about something else");
  return { facts: entry.body, log: manifest.log, keysGiven: trusted !== undefined };
}

/** Keys and those that follow from them, one version after the other, as far as the manifest proves it. */
function followed(own: readonly LedgerKeys[], { log, changes }: BackupManifest): readonly LedgerKeys[] {
  const keys = [...own];
  for (const change of changes) {
    const former = keys.at(-1);
    const note = parseNote(change.checkpoint);
    if (former === undefined || baseOf(note.checkpoint.log) !== baseOf(log)) break;
    const { sequence, kind, body } = JSON.parse(change.entry) as LedgerLine;
    if (!isSignedBy(note, note.checkpoint.log, former) || kind !== KEYS_ANNOUNCED || !isIn(note, sequence, change))
      break;
    const next = keysFromJson(body);
    if (next.version !== former.version + 1) break;
    keys.push(next);
  }
  return keys;
}

interface LedgerLine {
  readonly sequence: number;
  readonly kind: string;
  readonly body: unknown;
}

/** Whether an entry's line is in the tree of a checkpoint, at its place. */
function isIn({ checkpoint }: Note, sequence: number, { entry, proof }: Pick<KeyChange, "entry" | "proof">): boolean {
  const hashes = proof.map((hash) => new Uint8Array(Buffer.from(hash, "hex")));
  return includes(checkpoint, sequence - 1, leafOfLine(entry), hashes);
}

/** A ledger's name without its epoch. */
function baseOf(log: string): string {
  return log.split("/", 2).join("/");
}

/** Compares a sealed file with its manifest. @throws CustodyError `backup-not-authentic` */
export async function requireSealedFile(path: string, { sealed, octets }: BackupFacts): Promise<void> {
  const hash = createHash("sha256");
  let count = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    count += (chunk as Buffer).length;
  }
  if (count !== octets || hash.digest("hex") !== sealed)
    throw notAuthentic(`${path} has ${count} octets that are not the ${octets} of the manifest`);
}

function parsed(text: string): BackupManifest {
  try {
    const value = JSON.parse(text) as BackupManifest;
    const lists: readonly unknown[] = [value.keys, value.proof, value.changes];
    if (value.format !== "meterkeep-backup-manifest-1" || !lists.every(Array.isArray))
      throw new Error("another format");
    return value;
  } catch (cause) {
    throw new CustodyError("backup-not-authentic", "this is no manifest of a backup", { cause });
  }
}

function notAuthentic(why: string): CustodyError {
  return new CustodyError("backup-not-authentic", `the backup's manifest does not hold: ${why}`);
}

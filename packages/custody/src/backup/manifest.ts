import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  entryLine,
  includes,
  inclusionProof,
  isSignedBy,
  keysFromJson,
  keysJson,
  type LedgerEntry,
  type LedgerHistory,
  type LedgerKeys,
  type LedgerReads,
  leafOfLine,
  logName,
  parseNote,
  readerOf,
} from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";

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
}

/** Makes the manifest of a backup whose entry a checkpoint covers. */
export async function manifestOf(
  reads: LedgerReads,
  { keys, log }: Pick<LedgerHistory, "keys" | "log">,
  entry: LedgerEntry,
  checkpoint: string,
): Promise<BackupManifest> {
  const { size } = parseNote(checkpoint).checkpoint;
  const proof = await inclusionProof(readerOf(reads), entry.sequence - 1, size);
  return {
    format: "meterkeep-backup-manifest-1",
    log: log ?? "",
    keys: keys.map((one) => keysJson(one.keys)),
    entry: entryLine(entry),
    sequence: entry.sequence,
    proof: proof.map((hash) => Buffer.from(hash).toString("hex")),
    checkpoint,
  };
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
 * @param trusted keys of the ledger that came another way; without them only the first keys, which its name tells, count
 * @throws CustodyError `backup-not-authentic`
 */
export function verifyManifest(text: string, trusted?: readonly LedgerKeys[]): VerifiedManifest {
  const manifest = parsed(text);
  const note = parseNote(manifest.checkpoint);
  const named = manifest.keys.map(keysFromJson);
  const [first] = named;
  const epoch = Number(manifest.log.split("/")[2] ?? "1");
  const own = first !== undefined && logName(first, epoch) === manifest.log ? [first] : [];
  const keys = trusted ?? own;
  const signed = keys.some((one) => isSignedBy(note, note.checkpoint.log, one));
  if (!signed || note.checkpoint.log !== manifest.log)
    throw notAuthentic(
      trusted === undefined && named.length > 1
        ? "its checkpoint is signed by later keys than those its name tells: give the ledger's keys"
        : "its checkpoint is not signed by the ledger",
    );
  const leaf = leafOfLine(manifest.entry);
  const proof = manifest.proof.map((hash) => new Uint8Array(Buffer.from(hash, "hex")));
  if (!includes(note.checkpoint, manifest.sequence - 1, leaf, proof))
    throw notAuthentic("its entry is not in the checkpoint");
  const entry = JSON.parse(manifest.entry) as { readonly kind: string; readonly body: BackupFacts };
  if (entry.kind !== BACKUP_CREATED) throw notAuthentic("its entry is about something else");
  return { facts: entry.body, log: manifest.log, keysGiven: trusted !== undefined };
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
    if (value.format !== "meterkeep-backup-manifest-1" || !Array.isArray(value.keys) || !Array.isArray(value.proof))
      throw new Error("another format");
    return value;
  } catch (cause) {
    throw new CustodyError("backup-not-authentic", "this is no manifest of a backup", { cause });
  }
}

function notAuthentic(why: string): CustodyError {
  return new CustodyError("backup-not-authentic", `the backup's manifest does not hold: ${why}`);
}

import { LedgerError } from "../errors.ts";

/** A tree's head as a ledger says it: how many entries, their root, when. */
export interface Checkpoint {
  /** Name of the ledger (see `logName`). */
  readonly log: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
}

/** One signature of a note: by the key whose id it names. */
export interface NoteSignature {
  readonly name: string;
  /** 8 hex digits. */
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** A checkpoint with its signatures, taken apart. */
export interface Note {
  readonly checkpoint: Checkpoint;
  /** What was signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** The longest note that is read, characters: a checkpoint with a dozen pairs of signatures. */
export const MAX_NOTE_CHARACTERS = 64 * 1024;

const ROOT_BYTES = 32;
const KEY_ID_BYTES = 4;

/** The text of a checkpoint, which is what is signed: name, size, root in base64 and time, a line each. */
export function checkpointText({ log, size, root, at }: Checkpoint): string {
  return `${log}\n${size}\n${Buffer.from(root).toString("base64")}\n${at}\n`;
}

/** A signature as a line of a note: `— name base64(key id ‖ signature)`, as signed notes of C2SP have it. */
export function signatureLine({ name, keyId, signature }: NoteSignature): string {
  return `— ${name} ${Buffer.concat([Buffer.from(keyId, "hex"), signature]).toString("base64")}`;
}

/** A note: the text, an empty line, and the lines of signatures. */
export function noteOf(text: string, lines: readonly string[]): string {
  return `${text}\n${lines.join("\n")}\n`;
}

/** Takes a note apart; says nothing about its signatures. @throws LedgerError `ledger-checkpoint-invalid`. */
export function parseNote(note: string): Note {
  const end = note.indexOf("\n\n");
  const text = note.slice(0, end + 1);
  const match = /^([!-~]{1,128})\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n(0|[1-9]\d{0,15})\n$/.exec(text);
  if (match === null || note.length > MAX_NOTE_CHARACTERS) throw malformed("its text is not that of a checkpoint");
  const [, log = "", size, base64 = "", at] = match;
  const root = new Uint8Array(Buffer.from(base64, "base64"));
  if (root.length !== ROOT_BYTES) throw malformed("its root is not 32 octets");
  const lines = note.slice(end + 2).split("\n");
  if (lines.pop() !== "") throw malformed("its last line does not end");
  return { checkpoint: { log, size: Number(size), root, at: Number(at) }, text, signatures: lines.map(parseLine) };
}

/** Takes a line of a signature apart. @throws LedgerError `ledger-checkpoint-invalid`. */
export function parseLine(line: string): NoteSignature {
  const match = /^— ([!-~]{1,128}) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
  const octets = Buffer.from(match?.[2] ?? "", "base64");
  if (match === null || octets.length <= KEY_ID_BYTES) throw malformed(`"${line.slice(0, 40)}" is no signature`);
  return {
    name: match[1] as string,
    keyId: octets.subarray(0, KEY_ID_BYTES).toString("hex"),
    signature: new Uint8Array(octets.subarray(KEY_ID_BYTES)),
  };
}

function malformed(why: string): LedgerError {
  return new LedgerError("ledger-checkpoint-invalid", `a checkpoint cannot be read: ${why}`);
}

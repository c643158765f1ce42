import { hash } from "node:crypto";
import { type LedgerKeys, logName } from "../checkpoint/keys.ts";
import { type Note, parseNote } from "../checkpoint/note.ts";
import { LedgerError } from "../errors.ts";
import { type Frontier, rootOf } from "../tree/frontier.ts";
import { inclusionProof } from "../tree/proofs.ts";
import { includes } from "../tree/verify-proofs.ts";
import { EXPORT_FORMAT } from "./export.ts";
import { GrowingTree } from "./growing-tree.ts";
import { linesOf } from "./lines.ts";
import { isCosigned, type Resumption, SignatureTrail } from "./signatures.ts";

/** What an export is verified against besides itself. */
export interface VerifyOptions {
  /** The ledger's name, compared by another way: its first keys follow from it. */
  readonly log?: string | undefined;
  /** A checkpoint that was kept elsewhere: the export must have grown from it. */
  readonly older?: string | undefined;
  /** Witnesses whose keys are known. */
  readonly witnesses?: readonly { readonly name: string; readonly keys: LedgerKeys }[];
  /** The sequence of an entry whose inclusion is to be proven. */
  readonly entry?: number | undefined;
}

/** One thing that is wrong. */
export interface ExportFault {
  readonly problem:
    | "format"
    | "entry"
    | "rewritten"
    | "signature"
    | "witness"
    | "truncated"
    | "other-ledger"
    | "unsigned";
  readonly message: string;
}

/** What an export proves. */
export interface Verification {
  readonly log: string | undefined;
  readonly size: number;
  /** Hex. */
  readonly root: string;
  readonly checkpoints: number;
  /** Entries that the last valid checkpoint covers. */
  readonly signed: number;
  /** How far each witness that was given has signed. */
  readonly witnessed: Readonly<Record<string, number>>;
  readonly resumptions: readonly Resumption[];
  /** The entry asked for, and its proof in the last checkpoint. */
  readonly entry: { readonly line: string; readonly size: number; readonly proof: readonly string[] } | undefined;
  readonly faults: readonly ExportFault[];
}

/** Verifies an export, offline and in one pass of constant memory. It throws nothing: what is wrong is a fault. */
export async function verifyExport(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: VerifyOptions = {},
): Promise<Verification> {
  const verifier = new ExportVerifier(options);
  try {
    for await (const lines of linesOf(chunks)) for (const line of lines) if (!verifier.take(line)) break;
  } catch (error) {
    verifier.fault("format", (error as Error).message);
  }
  return verifier.finish();
}

/**
 * Takes the lines of an export, one after the other.
 *
 * States: *before the head*, *among entries and checkpoints*, *broken* (a line cannot be placed: the rest is not read).
 */
class ExportVerifier {
  readonly #options: VerifyOptions;
  readonly #tree: GrowingTree;
  readonly #trail = new SignatureTrail();
  readonly #older: Note | undefined;
  readonly #faults: ExportFault[] = [];
  readonly #witnessed: Record<string, number> = {};
  #expected: number | undefined;
  #checkpoints = 0;
  #signed: Frontier | undefined;
  #olderRoot: Uint8Array | undefined;
  #line: string | undefined;
  #leaf: Uint8Array | undefined;
  #isBroken = false;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#tree = new GrowingTree(options.entry);
    this.#older = options.older === undefined ? undefined : this.#parsed(options.older);
  }

  fault(problem: ExportFault["problem"], message: string): void {
    this.#faults.push({ problem, message });
  }

  /** Takes a line with the octet before it; false when no more should come. */
  take(line: Buffer): boolean {
    if (this.#isBroken) return false;
    if (this.#expected === undefined) this.#head(line);
    else if (line[1] === BRACE && line[2] === QUOTE && line[3] === LETTER_C) this.#checkpoint(line);
    else this.#entry(line);
    return !this.#isBroken;
  }

  async finish(): Promise<Verification> {
    const { size, frontier } = this.#tree;
    if (!this.#isBroken && this.#expected !== undefined && this.#expected !== size)
      this.fault("truncated", `the export says it has ${this.#expected} entries, and has ${size}`);
    if (!this.#isBroken && this.#signed === undefined) this.fault("unsigned", "no checkpoint of the export is valid");
    this.#compareOlder(size);
    if (this.#options.log !== undefined && this.#trail.first !== undefined) {
      const own = logName(this.#trail.first);
      if (this.#options.log !== own && !this.#options.log.startsWith(`${own}/`))
        this.fault("other-ledger", `this is ${own}, not ${this.#options.log}`);
    }
    return {
      log: this.#trail.log,
      size,
      root: hex(rootOf(frontier)),
      checkpoints: this.#checkpoints,
      signed: this.#signed?.size ?? 0,
      witnessed: this.#witnessed,
      resumptions: this.#trail.resumptions,
      entry: await this.#proof(),
      faults: this.#faults,
    };
  }

  #head(line: Buffer): void {
    const { format, size } = JSON.parse(line.toString("utf8", 1)) as { format?: string; size?: number };
    if (format !== EXPORT_FORMAT || !Number.isSafeInteger(size)) {
      this.#isBroken = true;
      this.fault("format", `the first line is not the head of an export (${EXPORT_FORMAT})`);
    } else this.#expected = size;
  }

  #entry(line: Buffer): void {
    const sequence = this.#tree.size + 1;
    const begin = `{"sequence":${sequence},`;
    if (line.toString("latin1", 1, 1 + begin.length) !== begin) {
      this.#isBroken = true;
      this.fault("entry", `where entry ${sequence} should be stands ${line.toString("utf8", 1, 60)}`);
      return;
    }
    line[0] = 0;
    const leaf = hash("sha256", line, "buffer");
    this.#tree.append(leaf);
    if (sequence === this.#options.entry) {
      this.#line = line.toString("utf8", 1);
      this.#leaf = leaf;
    }
    if (sequence === this.#older?.checkpoint.size) this.#olderRoot = rootOf(this.#tree.frontier);
    if (SignatureTrail.concerns(line)) this.#trail.learn(JSON.parse(line.toString("utf8", 1)));
  }

  #checkpoint(line: Buffer): void {
    const { checkpoint, cosignatures = [] } = JSON.parse(line.toString("utf8", 1)) as {
      readonly checkpoint: string;
      readonly cosignatures?: readonly { readonly witness: string; readonly lines: string }[];
    };
    const note = this.#parsed(checkpoint);
    if (note === undefined) return;
    const { size, root } = note.checkpoint;
    if (size !== this.#tree.size) {
      this.fault("format", `the checkpoint of ${size} entries stands after entry ${this.#tree.size}`);
      return;
    }
    const { frontier } = this.#tree;
    const problem = this.#trail.faultOf(note);
    if (problem !== undefined) this.fault("signature", problem);
    else if (!Buffer.from(rootOf(frontier)).equals(root))
      this.fault("rewritten", `the first ${size} entries are not those that were signed`);
    else {
      this.#checkpoints += 1;
      this.#signed = frontier;
      for (const { witness, lines } of cosignatures) this.#cosigned(note, witness, lines);
    }
  }

  #cosigned(note: Note, name: string, lines: string): void {
    const witness = this.#options.witnesses?.find((one) => one.name === name);
    if (witness === undefined) return;
    const { size } = note.checkpoint;
    if (isCosigned(note, name, lines, witness.keys)) this.#witnessed[name] = size;
    else this.fault("witness", `${name} has not signed the checkpoint of ${size} entries`);
  }

  #compareOlder(size: number): void {
    if (this.#older === undefined) return;
    const { checkpoint } = this.#older;
    const lost = this.#trail.resumptions[0];
    const after = lost === undefined ? "" : `; entry ${lost.sequence} says ${lost.lost} entries were lost there`;
    if (checkpoint.size > size)
      this.fault("truncated", `the older checkpoint has ${checkpoint.size} entries, the export ${size}${after}`);
    else if (this.#olderRoot === undefined || !Buffer.from(this.#olderRoot).equals(checkpoint.root))
      this.fault("rewritten", `the first ${checkpoint.size} entries are not those of the older checkpoint${after}`);
  }

  async #proof(): Promise<Verification["entry"]> {
    const { entry } = this.#options;
    if (entry === undefined) return undefined;
    const signed = this.#signed;
    if (signed === undefined || this.#line === undefined || entry > signed.size) {
      this.fault("entry", `entry ${entry} is in no valid checkpoint of the export`);
      return undefined;
    }
    const proof = await inclusionProof(this.#tree.reader(signed), entry - 1, signed.size);
    const head = { size: signed.size, root: rootOf(signed) };
    if (!includes(head, entry - 1, this.#leaf as Uint8Array, proof))
      this.fault("entry", `entry ${entry} does not lead to the signed root`);
    return { line: this.#line, size: signed.size, proof: proof.map(hex) };
  }

  #parsed(note: string): Note | undefined {
    try {
      return parseNote(note);
    } catch (error) {
      this.fault("signature", error instanceof LedgerError ? error.message : String(error));
      return undefined;
    }
  }
}

const BRACE = 0x7b;
const QUOTE = 0x22;
const LETTER_C = 0x63;

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}

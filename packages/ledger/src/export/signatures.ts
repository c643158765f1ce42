import { isSignedBy, KEYS_ANNOUNCED, keysFromJson, type LedgerKeys, logName } from "../checkpoint/keys.ts";
import type { Checkpoint, Note } from "../checkpoint/note.ts";
import { parseLine } from "../checkpoint/note.ts";
import { RESUMED } from "../keeper/history.ts";

/** A resumption that stands in a ledger: entries after it were lost, two people said to go on. */
export interface Resumption {
  readonly sequence: number;
  readonly lost: number;
  readonly approvedBy: readonly string[];
  readonly reason: string;
}

/**
 * What signs the checkpoints of a ledger, learnt from its entries as they come.
 *
 * Keys count from the entry that announces them, and those of a later version only once a checkpoint that has their
 * announcement was signed by the version before.
 */
export class SignatureTrail {
  readonly #keys: { readonly keys: LedgerKeys; readonly sequence: number; isConfirmed: boolean }[] = [];
  readonly resumptions: Resumption[] = [];

  get first(): LedgerKeys | undefined {
    return this.#keys[0]?.keys;
  }

  /** Its name after the entries so far. */
  get log(): string | undefined {
    return this.first && logName(this.first, this.resumptions.length + 1);
  }

  /** Whether an entry's line may concern the trail. */
  static concerns(line: Buffer): boolean {
    const at = line.indexOf(KIND);
    return at > 0 && at < LONGEST_BEFORE_KIND;
  }

  /** Learns from an entry. @throws LedgerError `ledger-checkpoint-invalid` for keys that are none. */
  learn(entry: { readonly sequence: number; readonly kind: string; readonly body: unknown }): void {
    if (entry.kind === KEYS_ANNOUNCED) {
      const keys = keysFromJson(entry.body);
      this.#keys.push({ keys, sequence: entry.sequence, isConfirmed: this.#keys.length === 0 });
    } else if (entry.kind === RESUMED)
      this.resumptions.push({ sequence: entry.sequence, ...(entry.body as Omit<Resumption, "sequence">) });
  }

  /** Why a checkpoint's signatures are not those it should have; undefined where they are. */
  faultOf(note: Note): string | undefined {
    const { log, size }: Checkpoint = note.checkpoint;
    if (log !== this.log) return `the checkpoint of ${size} entries is of ${log}, not of ${this.log ?? "this ledger"}`;
    const known = this.#keys.filter((one) => one.sequence <= size && one.isConfirmed);
    const by = known.findLast(({ keys }) => isSignedBy(note, log, keys));
    if (by === undefined) return `the checkpoint of ${size} entries is not signed by both keys of this ledger`;
    const next = this.#keys[this.#keys.indexOf(by) + 1];
    if (next !== undefined && next.sequence <= size) next.isConfirmed = true;
    return undefined;
  }
}

/** Whether a witness has signed a checkpoint, by its pinned keys. */
export function isCosigned(note: Note, witness: string, lines: string, keys: LedgerKeys): boolean {
  return isSignedBy({ text: note.text, signatures: lines.split("\n").map(parseLine) }, witness, keys);
}

const KIND = '"kind":"ledger-';
const LONGEST_BEFORE_KIND = 64;

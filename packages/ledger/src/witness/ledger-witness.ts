import { isSignedBy, KEYS_ANNOUNCED, keysFromJson, type LedgerKeys } from "../checkpoint/keys.ts";
import { parseNote } from "../checkpoint/note.ts";
import { type LedgerSigner, signedLines } from "../checkpoint/signer.ts";
import { leafOfLine } from "../entry.ts";
import { LedgerError } from "../errors.ts";
import { includes, isGrownFrom } from "../tree/verify-proofs.ts";
import type { KeyChange, Taken } from "./witness.ts";

/** What a witness remembers of a ledger. */
export interface WitnessedLedger {
  readonly log: string;
  /** Those that may sign its next checkpoint: the first ones are what its owner has compared. */
  readonly keys: LedgerKeys;
  /** Undefined until the first checkpoint. */
  readonly note: string | undefined;
}

/** Where a witness keeps what it remembers: `put` is durable when it resolves. */
export interface WitnessMemory {
  get(log: string): Promise<WitnessedLedger | undefined>;
  put(ledger: WitnessedLedger): Promise<void>;
}

/**
 * A second instance that has seen how far ledgers had grown: it takes a checkpoint only when a proof shows that it has
 * grown from the one it has, keeps it, and only then signs it too.
 */
export class LedgerWitness {
  readonly name: string;
  readonly #memory: WitnessMemory;
  readonly #signer: LedgerSigner;
  /** One after the other: two checkpoints at once must not both be compared with the same former one. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(name: string, memory: WitnessMemory, signer: LedgerSigner) {
    this.name = name;
    this.#memory = memory;
    this.#signer = signer;
  }

  get keys(): LedgerKeys {
    return this.#signer.keys;
  }

  async last(log: string): Promise<string | undefined> {
    return (await this.#known(log)).note;
  }

  /** Takes a checkpoint, or says what it would need. @throws LedgerError `ledger-witness-refused`. */
  add(note: string, former: number, proof: readonly Uint8Array[]): Promise<Taken> {
    return this.#inTurn(async () => {
      const parsed = parseNote(note);
      const { checkpoint, text } = parsed;
      const known = await this.#known(checkpoint.log);
      if (!isSignedBy(parsed, checkpoint.log, known.keys)) return { kind: "keys-unknown", version: known.keys.version };
      const before = known.note === undefined ? undefined : parseNote(known.note).checkpoint;
      if ((before?.size ?? 0) !== former) return { kind: "elsewhere", note: known.note };
      if (before !== undefined && !isGrownFrom(before, checkpoint, proof))
        throw refused(
          `${this.name} has seen ${before.size} entries of ${checkpoint.log}, and this tree of ${checkpoint.size} has not grown from them`,
        );
      await this.#memory.put({ ...known, note });
      return { kind: "taken", lines: (await signedLines(this.#signer, this.name, text)).join("\n") };
    });
  }

  /** Takes new keys of a ledger, announced in the checkpoint it has. @throws LedgerError `ledger-witness-refused`. */
  addKeys(log: string, { line, proof }: KeyChange): Promise<void> {
    return this.#inTurn(async () => {
      const known = await this.#known(log);
      const { sequence, kind, body } = JSON.parse(line) as { sequence: number; kind: string; body: unknown };
      const keys = keysFromJson(body);
      const head = known.note === undefined ? undefined : parseNote(known.note).checkpoint;
      const isAnnounced =
        head !== undefined && kind === KEYS_ANNOUNCED && includes(head, sequence - 1, leafOfLine(line), proof);
      if (!isAnnounced || keys.version !== known.keys.version + 1)
        throw refused(`keys ${keys.version} of ${log} are not announced in the checkpoint that ${this.name} has`);
      await this.#memory.put({ ...known, keys });
    });
  }

  async #known(log: string): Promise<WitnessedLedger> {
    const known = await this.#memory.get(log);
    if (known === undefined)
      throw refused(`${this.name} does not witness ${log}: its owner must add the ledger's keys`);
    return known;
  }

  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(body);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function refused(message: string): LedgerError {
  return new LedgerError("ledger-witness-refused", message);
}

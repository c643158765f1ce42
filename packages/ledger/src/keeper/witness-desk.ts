import { parseNote } from "../checkpoint/note.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import { entryLine } from "../entry.ts";
import { LedgerError } from "../errors.ts";
import type { LedgerReads } from "../store.ts";
import { consistencyProof, inclusionProof } from "../tree/proofs.ts";
import { readerOf } from "../tree/stored-nodes.ts";
import type { Taken, Witness } from "../witness/witness.ts";
import { compareWithWitness } from "./examine.ts";
import type { LedgerHistory } from "./history.ts";

/** How one witness is. */
export interface WitnessState {
  readonly name: string;
  readonly kind: Witness["kind"];
  readonly state: "unknown" | "current" | "away";
  /** Entries it has seen. */
  readonly size: number | undefined;
  /** Since when it is in this state, milliseconds since 1970. */
  readonly since: number;
  readonly problem: string | undefined;
}

/** What dealing with one witness needs. */
export interface DeskPorts {
  readonly reads: LedgerReads;
  readonly checkpoints: CheckpointStore;
  readonly history: () => Promise<LedgerHistory>;
  readonly renewNodes: () => Promise<boolean>;
  readonly now: () => number;
}

/**
 * Deals with one witness: knows what it has seen, brings it up to date, and says what is wrong.
 *
 * States: *unknown* (not asked yet), *current* (it took the last checkpoint), *away* (the last call failed; its problem
 * says why). Whatever it missed is caught up by one proof: a spool of what it has not seen is the ledger itself.
 */
export class WitnessDesk {
  readonly #witness: Witness;
  readonly #ports: DeskPorts;
  #state: WitnessState;
  /** What it has signed besides, until that is stored. */
  #cosignature: { readonly size: number; readonly lines: string } | undefined;

  constructor(witness: Witness, ports: DeskPorts) {
    this.#witness = witness;
    this.#ports = ports;
    const { name, kind } = witness;
    this.#state = { name, kind, state: "unknown", size: undefined, since: ports.now(), problem: undefined };
  }

  get state(): WitnessState {
    return this.#state;
  }

  /** Asks what it has seen; gives what is wrong with the database. A witness that is away says nothing. */
  async examine(): Promise<LedgerError | undefined> {
    const history = await this.#ports.history();
    try {
      // A second instance knows ledgers by their names only.
      if (history.log === undefined && this.#witness.kind === "instance") return undefined;
      const note = await this.#witness.last(history.log ?? "");
      const found = note === undefined ? 0 : await this.#compare(history, note);
      if (found instanceof LedgerError) return found;
      this.#become("current", found);
      return undefined;
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      if (error.code === "ledger-checkpoint-invalid") return error;
      this.#become("away", this.#state.size, error.message);
      return undefined;
    }
  }

  /** Brings it up to a checkpoint; gives what is wrong with the database. */
  async give(note: string): Promise<LedgerError | undefined> {
    try {
      const { size } = parseNote(note).checkpoint;
      if (this.#state.state === "current" && this.#state.size === size) return undefined;
      if (this.#state.state !== "current") {
        const fault = await this.examine();
        if (fault !== undefined || this.#state.state === "away") return fault;
      }
      const taken = await this.#offer(note).catch(async (error: unknown) => {
        // A proof by nodes that somebody has changed proves nothing.
        const wasRefused = error instanceof LedgerError && error.code === "ledger-witness-refused";
        if (wasRefused && (await this.#ports.renewNodes())) return this.#offer(note);
        throw error;
      });
      if (taken instanceof LedgerError) return taken;
      if (taken.lines !== undefined) this.#cosignature = { size, lines: taken.lines };
      this.#become("current", size);
      return undefined;
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      this.#become("away", this.#state.size, error.message);
      return undefined;
    }
  }

  /** Stores what it has signed of a checkpoint, once that is stored. */
  async storeCosignature(): Promise<void> {
    if (this.#cosignature === undefined) return;
    const { size, lines } = this.#cosignature;
    await this.#ports.checkpoints.cosign(size, this.#witness.name, lines);
    this.#cosignature = undefined;
  }

  async #offer(note: string): Promise<LedgerError | (Taken & { kind: "taken" })> {
    const { size } = parseNote(note).checkpoint;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const former = this.#state.size ?? 0;
      const proof = await this.#proof(former, size);
      const taken = await this.#witness.add(note, former, proof);
      if (taken.kind === "taken") return taken;
      if (taken.kind === "keys-unknown") await this.#teach(taken.version);
      else {
        const history = await this.#ports.history();
        const found = taken.note === undefined ? 0 : await this.#compare(history, taken.note);
        if (found instanceof LedgerError) return found;
        this.#become("current", found);
      }
    }
    throw new LedgerError("ledger-witness-refused", `witness ${this.#witness.name} takes no checkpoint`);
  }

  /** A file judges none. */
  async #proof(former: number, size: number): Promise<readonly Uint8Array[]> {
    if (former === 0 || former === size || this.#witness.kind === "file") return [];
    try {
      return await consistencyProof(readerOf(this.#ports.reads), former, size);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new LedgerError(
        "ledger-witness-refused",
        `nothing proves to witness ${this.#witness.name} that the ledger has grown from ${former} entries: one of them is gone`,
        { cause },
      );
    }
  }

  /** Gives it the checkpoint under which the next keys were announced, signed by those it knows, and then those keys. */
  async #teach(version: number): Promise<void> {
    const { reads, checkpoints, history } = this.#ports;
    const { keys, log } = await history();
    const entry = keys.find((one) => one.keys.version === version + 1)?.entry;
    const [announced] = entry === undefined ? [] : await checkpoints.list(entry.sequence, 1);
    if (entry === undefined || announced === undefined || log === undefined)
      throw new LedgerError("ledger-witness-refused", `witness ${this.#witness.name} knows keys ${version} only`);
    if ((this.#state.size ?? 0) < entry.sequence) {
      const taken = await this.#offer(announced.note);
      if (taken instanceof LedgerError) throw taken;
      this.#become("current", announced.size);
    }
    const proof = await inclusionProof(readerOf(reads), entry.sequence - 1, this.#state.size ?? 0);
    await this.#witness.addKeys(log, { line: entryLine(entry), proof });
  }

  /** The database with what the witness has seen; once more where what is stored above the leaves was another. */
  async #compare(history: LedgerHistory, note: string): Promise<LedgerError | number> {
    const { reads, renewNodes } = this.#ports;
    const compare = () => compareWithWitness(reads, history, this.#witness.name, note);
    const found = await compare();
    const isRewritten = found instanceof LedgerError && found.code === "ledger-rewritten";
    return isRewritten && (await renewNodes()) ? compare() : found;
  }

  #become(state: WitnessState["state"], size: number | undefined, problem?: string): void {
    const since = state === this.#state.state ? this.#state.since : this.#ports.now();
    this.#state = { ...this.#state, state, size, since, problem };
  }
}

const MOST_ATTEMPTS = 8;

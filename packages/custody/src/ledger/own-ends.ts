import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type CheckpointStore,
  completeNodes,
  type EntryRange,
  frontierAt,
  isSignedBy,
  type LedgerDraft,
  type LedgerEdge,
  LedgerError,
  type LedgerKeys,
  type LedgerStore,
  parseNote,
  readerOf,
  rootOf,
  type TreeHead,
  type Witness,
} from "@meterkeep/ledger";
import { sameMac } from "../records/record-mac.ts";
import { boundData } from "../vault/key-place.ts";
import { type StateNote, stateNote } from "../vault/state-note.ts";
import type { Vault } from "../vault/vault.ts";
import { installationEntry } from "./installation-entry.ts";
import { LEDGER_FOLDER, nearWitness } from "./near-witness.ts";

/** Kind of the entry that names entries that this custodian has not written, and later of the one by which people have seen them. */
export const FOREIGN = "ledger-foreign-entries";
/** Kind of the entry that says from where on the ends of commits are bound: what stood there by then was believed as it stood. */
const BOUND_SINCE = "ledger-ends-bound";

/** The file of the state folder that says the same: who owns the database takes it out of there, and not from here. */
const SINCE_FILE = "ends-bound.json";
/** Ends that are looked at before the newest signed checkpoint counts: each that does not hold was written by somebody else. */
const MOST_ENDS = 1000;
/** Kinds that are named of foreign entries. */
const MOST_KINDS = 32;
/** Foreign entries that are looked through for their kinds. */
const MOST_READ = 5000;

/** The body of an entry of kind `FOREIGN`. */
export interface ForeignBody extends EntryRange {
  /** What they call themselves. */
  readonly kinds?: readonly string[];
  /** By now people have seen them. */
  readonly accepted?: boolean;
}

/** How many entries there were when ends began to be bound: by the ledger, and by the state folder. */
interface BoundSince {
  readonly entries: number;
}

/** What the ends of a ledger are judged by. */
export interface OwnEndsDependencies {
  readonly ledger: Omit<LedgerStore, "append">;
  readonly checkpoints: Pick<CheckpointStore, "last">;
  readonly vault: Pick<Vault, "authenticate">;
  /** The keys that have ever signed this ledger, by the vault. */
  readonly keys: () => Promise<readonly LedgerKeys[]>;
  readonly stateFolder: string;
  readonly now: () => number;
}

/**
 * Tells what this custodian has written into its ledger from what somebody else has: each commit ends with a MAC of the vault
 * over size and root of the tree (`bind`), and what is stored behind the last end that holds is foreign. It stays in the ledger, is named by
 * an entry in the next commit, and counts nowhere, whatever its kind.
 *
 * An end holds as well where a checkpoint of this custodian has it, signed twice, and where the ledger ended when ends began to be bound.
 */
export class OwnEnds {
  readonly #dependencies: OwnEndsDependencies;
  #isKnown = false;

  constructor(dependencies: OwnEndsDependencies) {
    this.#dependencies = dependencies;
  }

  /** What goes with the last entry of a commit that makes the tree this one. */
  async bind({ size, root }: TreeHead): Promise<Uint8Array> {
    const [mac] = await this.#dependencies.vault.authenticate([
      boundData("meterkeep-ledger-end-1", String(size), root),
    ]);
    return mac as Uint8Array;
  }

  /**
   * Judges the ledger as it is stored, and takes what is foreign in it out of every reading.
   *
   * @param ours how many entries of it this process knows to be its own
   * @returns what the next commit has to say of it
   */
  async examine({ frontier: { size } }: LedgerEdge, ours: number): Promise<readonly LedgerDraft[]> {
    const { ledger, now } = this.#dependencies;
    const drafts: LedgerDraft[] = [];
    const known = this.#isKnown ? ours : Math.max(ours, await this.#since(size, drafts));
    // Most failures of a commit leave the ledger as it was: they must not cost a look through its ends.
    const end = known === size ? size : Math.max(known, await this.#lastBound(size, known));
    if (end < size) {
      const range = { from: end + 1, to: size };
      const kinds = await this.#kindsIn(range);
      ledger.foreign.add(range);
      drafts.unshift(installationEntry(now(), FOREIGN, "custodian", { ...range, kinds } satisfies ForeignBody));
    }
    if (!this.#isKnown) await this.#knowFormer();
    this.#isKnown = true;
    return drafts;
  }

  /** Ranges that earlier starts have named; the newest first, since one that is foreign itself names nothing. */
  async #knowFormer(): Promise<void> {
    const { ledger } = this.#dependencies;
    for (const { kind, sequence, body } of (await ledger.ofItself()).reverse()) {
      if (kind !== FOREIGN || ledger.foreign.has(sequence)) continue;
      const { from, to, accepted } = JSON.parse(body) as ForeignBody;
      if (accepted !== true) ledger.foreign.add({ from, to });
    }
  }

  /** The largest end that holds, of those above `from`; 0 where none does. */
  async #lastBound(size: number, from: number): Promise<number> {
    const { ledger, checkpoints, stateFolder } = this.#dependencies;
    let bound = 0;
    for (const end of await ledger.ends(size, MOST_ENDS)) {
      if (end.size <= from) break;
      if (!sameMac(end.mac, await this.bind({ size: end.size, root: await this.#rootAt(end.size) }))) continue;
      bound = end.size;
      break;
    }
    if (bound === size) return bound;
    // Whoever takes MACs off the last entries takes nothing off that was signed.
    const stored = await checkpoints.last();
    for (const note of [stored?.note, await seenBy(nearWitness(stateFolder))])
      if (note !== undefined) bound = Math.max(bound, await this.#signedSize(note, size));
    return bound;
  }

  /** How many entries a checkpoint of this custodian has that are stored; 0 where it is none, or of another ledger. */
  async #signedSize(text: string, stored: number): Promise<number> {
    try {
      const note = parseNote(text);
      const { size, root, log } = note.checkpoint;
      if (size === 0 || size > stored || !Buffer.from(await this.#rootAt(size)).equals(root)) return 0;
      return (await this.#dependencies.keys()).some((keys) => isSignedBy(note, log, keys)) ? size : 0;
    } catch (error) {
      if (error instanceof LedgerError) return 0;
      throw error;
    }
  }

  async #rootAt(size: number): Promise<Uint8Array> {
    return rootOf(await frontierAt(readerOf(this.#dependencies.ledger), size));
  }

  /** What they call themselves, of the first of them. */
  async #kindsIn({ from, to }: EntryRange): Promise<readonly string[]> {
    const page = await this.#dependencies.ledger.read(from - 1, Math.min(MOST_READ, to - from + 1));
    return [...new Set(page.map(({ kind }) => kind.slice(0, 64)))].slice(0, MOST_KINDS);
  }

  /**
   * How many entries were there when ends began to be bound. A ledger without any bound end, of which the state folder does
   * not know that it ever had some, is from before: it is believed as it stands, and says so.
   */
  async #since(size: number, drafts: LedgerDraft[]): Promise<number> {
    const { ledger, now } = this.#dependencies;
    await completeNodes(ledger);
    const kept = await this.#kept();
    if (kept !== undefined) {
      // One that was killed before its first commit.
      if (kept > 0 && kept === size) drafts.push(installationEntry(now(), BOUND_SINCE, "custodian", { entries: kept }));
      return Math.min(kept, size);
    }
    const bound = await this.#lastBound(size, 0);
    const isBound = (await ledger.ends(bound, 1)).length > 0;
    const entries = isBound ? await this.#saidSince(bound) : size;
    if (!isBound && entries > 0) drafts.push(installationEntry(now(), BOUND_SINCE, "custodian", { entries }));
    await this.#keep(entries);
    return entries;
  }

  /** What the ledger says of that up to an end that holds; 0 where it says nothing: it was bound from its first entry on. */
  async #saidSince(bound: number): Promise<number> {
    const said = (await this.#dependencies.ledger.ofItself()).findLast(
      ({ kind, sequence }) => kind === BOUND_SINCE && sequence <= bound,
    );
    return said === undefined ? 0 : (JSON.parse(said.body) as BoundSince).entries;
  }

  async #kept(): Promise<number | undefined> {
    const said = await this.#note.read();
    // One that is not ours says nothing in favour of anything.
    return said === "not ours" ? 0 : said?.entries;
  }

  async #keep(entries: number): Promise<void> {
    await mkdir(join(this.#dependencies.stateFolder, LEDGER_FOLDER), { recursive: true, mode: 0o700 });
    await this.#note.keep({ entries });
  }

  get #note(): StateNote<BoundSince> {
    const { stateFolder, vault } = this.#dependencies;
    const path = join(stateFolder, LEDGER_FOLDER, SINCE_FILE);
    return stateNote({ path, domain: "meterkeep-ledger-ends-bound-1", fields: ["entries"], vault });
  }
}

/** What a witness has seen; one that cannot be read has seen nothing. */
async function seenBy(witness: Witness): Promise<string | undefined> {
  try {
    return await witness.last("");
  } catch (error) {
    if (error instanceof LedgerError) return undefined;
    throw error;
  }
}

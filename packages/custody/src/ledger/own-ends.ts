import {
  type CheckpointStore,
  type Finding,
  type ForeignEntries,
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
  type Witness,
} from "@meterkeep/ledger";
import { sameMac } from "../records/record-mac.ts";
import type { Vault } from "../vault/vault.ts";
import { endMac } from "./entry-macs.ts";
import { findingKey, namedFindings, namingEntry } from "./named-findings.ts";
import { nearWitness } from "./near-witness.ts";

/** Ends that are looked at before the newest signed checkpoint counts: each that does not hold was written by somebody else. */
const MOST_ENDS = 1000;

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
 * Tells where what this custodian has written into its ledger ends: each commit ends with a MAC of the vault over size and root of
 * the tree, and what is stored behind the last end that holds is foreign. It stays in the ledger, is named by an entry in the next
 * commit, and counts nowhere, whatever its kind.
 *
 * An end holds as well where a checkpoint of this custodian has it, signed twice.
 */
export class OwnEnds {
  readonly #dependencies: OwnEndsDependencies;
  #isKnown = false;
  /** Where its entries ended when this process began. */
  #own = 0;

  constructor(dependencies: OwnEndsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Finds how far the ledger goes: as far as numbers follow on from its own end. To be called before anything asks how long it is.
   *
   * @param ours how many entries of it this process knows to be its own
   * @throws LedgerError `ledger-unbound` where none of it is this custodian's
   */
  async limit(ours: number): Promise<void> {
    const { ledger } = this.#dependencies;
    if (!this.#isKnown) this.#own = await this.#lastBound(Number.MAX_SAFE_INTEGER, 0);
    const own = Math.max(ours, this.#own);
    const size = own === 0 ? await ledger.size() : own;
    if (own < size) throw unbound(size);
    ledger.foreign.endBefore((await ledger.follow(own)).next);
  }

  /**
   * Judges the ledger as it is stored, and takes what is foreign in it out of every reading.
   *
   * @param ours how many entries of it this process knows to be its own
   * @returns what the next commit has to say of it
   */
  async examine({ frontier: { size } }: LedgerEdge, ours: number): Promise<readonly LedgerDraft[]> {
    const { ledger, now } = this.#dependencies;
    // Most failures of a commit leave the ledger as it was: they must not cost a look through its ends.
    const known = Math.max(ours, this.#own);
    const end = known === size ? size : Math.max(known, await this.#lastBound(size, known));
    const found: Finding[] = [];
    if (end < size) {
      found.push({ from: end + 1, to: size, fault: "appended" });
      ledger.foreign.add({ from: end + 1, to: size, fault: "appended" });
    }
    if (!this.#isKnown) await this.#knowFormer();
    this.#isKnown = true;
    const beyond = beyondOf(ledger.foreign);
    if (beyond !== undefined && !ledger.foreign.findings.some((one) => findingKey(one) === findingKey(beyond))) {
      found.push(beyond);
      ledger.foreign.tell(beyond);
    }
    return Promise.all(found.map((finding) => namingEntry(ledger, finding, now())));
  }

  /** What earlier starts have named; the newest first, since one that is foreign itself names nothing. */
  async #knowFormer(): Promise<void> {
    const { foreign, ...ledger } = this.#dependencies.ledger;
    const { found } = await namedFindings(ledger);
    for (const finding of [...found.values()].reverse()) {
      if (foreign.has(finding.sequence)) continue;
      // Others are found again where they are still wrong: what was put right counts.
      if (finding.fault === "appended") foreign.add(finding);
      else foreign.tell(finding);
    }
  }

  /** The largest end that holds, of those above `from`; 0 where none does. */
  async #lastBound(size: number, from: number): Promise<number> {
    const { ledger, checkpoints, vault, stateFolder } = this.#dependencies;
    let bound = 0;
    for (const end of await ledger.ends(size, MOST_ENDS)) {
      if (end.size <= from) break;
      const root = await this.#rootAt(end.size);
      if (root === undefined || !sameMac(end.mac, await endMac(vault, { size: end.size, root }))) continue;
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
      if (size === 0 || size > stored) return 0;
      if (!Buffer.from((await this.#rootAt(size)) ?? []).equals(root)) return 0;
      return (await this.#dependencies.keys()).some((keys) => isSignedBy(note, log, keys)) ? size : 0;
    } catch (error) {
      if (error instanceof LedgerError) return 0;
      throw error;
    }
  }

  /** Undefined where the tree is not stored as far as that. */
  async #rootAt(size: number): Promise<Uint8Array | undefined> {
    try {
      return rootOf(await frontierAt(readerOf(this.#dependencies.ledger), size));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }
}

/** What stands behind a gap in the numbers, as far as numbers are safe. */
function beyondOf({ beyond }: Pick<ForeignEntries, "beyond">): Finding | undefined {
  if (beyond === undefined) return undefined;
  const from = beyond > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(beyond);
  return { from, to: Number.MAX_SAFE_INTEGER, fault: "beyond" };
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

function unbound(size: number): LedgerError {
  return new LedgerError(
    "ledger-unbound",
    `the database holds ${size} ledger entries, and nothing shows that this custodian has written one of them: the MACs were taken off, or it is another's`,
  );
}

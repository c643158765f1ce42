import {
  type BoundEnd,
  type CheckpointStore,
  type CompletedNode,
  derivedNodes,
  EMPTY_EDGE,
  type EntryRange,
  type Finding,
  type ForeignEntries,
  frontierAt,
  grownFrom,
  isSignedBy,
  type LeafSource,
  type LedgerDraft,
  type LedgerEdge,
  LedgerError,
  type LedgerKeys,
  type LedgerStore,
  type Note,
  parseNote,
  readerOf,
  rootAt,
  rootOf,
  type StoredNodes,
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
 * An end holds as well where a checkpoint of this custodian has it, signed twice. What is stored of the tree above the leaves is
 * believed as far as such an end shows it to be right; where none does, it is computed anew.
 */
export class OwnEnds {
  readonly #dependencies: OwnEndsDependencies;
  #isKnown = false;
  /** Where its entries ended when this process began. */
  #own: LedgerEdge | undefined;

  constructor(dependencies: OwnEndsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Finds how far the ledger goes: as far as numbers follow on from its own end. To be called before anything asks how long it is.
   *
   * @param ours what this process knows to be its own
   * @returns where its own entries end
   * @throws LedgerError `ledger-unbound` where none of it is this custodian's
   */
  async limit(ours: LedgerEdge | undefined): Promise<LedgerEdge> {
    const { ledger } = this.#dependencies;
    this.#own ??= await this.#lastBound();
    const own = ours ?? this.#own;
    const { size } = own.frontier;
    const stored = size === 0 ? await ledger.size() : size;
    if (size < stored) throw unbound(stored);
    ledger.foreign.endBefore((await ledger.follow(size)).next);
    return own;
  }

  /**
   * Judges the ledger as it is stored, and takes what is foreign in it out of every reading.
   *
   * @param own what is known to be this custodian's of it
   * @returns what the next commit has to say of it
   */
  async examine({ frontier: { size } }: LedgerEdge, own: LedgerEdge): Promise<readonly LedgerDraft[]> {
    const { ledger, now } = this.#dependencies;
    // Most failures of a commit leave the ledger as it was: they must not cost a look through its ends.
    const end = own.frontier.size === size ? size : await this.#lastGrown(own, size);
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

  /** The entry that names those of somebody else between gaps. */
  adopt({ from, to }: EntryRange): Promise<LedgerDraft> {
    const { ledger, now } = this.#dependencies;
    return namingEntry(ledger, { from, to, fault: "appended" }, now());
  }

  /**
   * Computes anew what is stored of the tree above the leaves of what this custodian has written, and tells of what was another.
   *
   * @returns whether any was; false as well where the entries do not come to the tree that is known
   */
  async renewNodes({ frontier }: LedgerEdge): Promise<boolean> {
    const { ledger } = this.#dependencies;
    for (const source of LEAF_SOURCES) {
      const derived = await derivedNodes(ledger, frontier.size, source);
      const root = await rootAt(derived, frontier.size);
      if (root === undefined || !Buffer.from(root).equals(rootOf(frontier))) continue;
      await this.#putNodes(derived.others);
      return derived.others.length > 0;
    }
    return false;
  }

  async #putNodes(others: readonly CompletedNode[]): Promise<void> {
    const { ledger } = this.#dependencies;
    for (let at = 0; at < others.length; at += NODES_AT_ONCE)
      await ledger.putNodes(others.slice(at, at + NODES_AT_ONCE));
    for (const node of others) ledger.foreign.tell({ ...entriesUnder(node), fault: "rehashed" });
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

  /** The largest end that holds, of what has followed one that is known. */
  async #lastGrown(own: LedgerEdge, size: number): Promise<number> {
    const { ledger } = this.#dependencies;
    const from = own.frontier.size;
    const ends = new Map<number, BoundEnd>();
    for (const end of await ledger.ends(size, MOST_ENDS)) if (end.size > from) ends.set(end.size, end);
    let bound = from;
    if (ends.size > 0)
      await grownFrom(ledger, own, async ({ frontier }) => {
        const end = ends.get(frontier.size);
        if (end !== undefined && (await this.#holds(end, rootOf(frontier)))) bound = end.size;
      });
    return bound;
  }

  /** The largest end that holds of all that is stored; an empty one where none does. */
  async #lastBound(): Promise<LedgerEdge> {
    const { ledger } = this.#dependencies;
    const ends = (await ledger.ends(Number.MAX_SAFE_INTEGER, MOST_ENDS)).map(
      (end): Claim => ({ size: end.size, holds: (root) => this.#holds(end, root) }),
    );
    let nodes: StoredNodes = ledger;
    let bound = await largest(ends, nodes);
    const reach = (await ledger.follow(bound)).last;
    const claims = [...ends, ...(await this.#signed(bound, reach))]
      .filter(({ size }) => size <= reach)
      .sort((one, other) => other.size - one.size);
    bound = Math.max(bound, await largest(claims, nodes));
    for (const source of LEAF_SOURCES) {
      // Either somebody else has put it there, or what is stored above the leaves is not theirs.
      if (bound === (claims[0]?.size ?? 0)) break;
      const derived = await derivedNodes(ledger, reach, source);
      const found = await largest(claims, derived);
      if (found <= bound) continue;
      await this.#putNodes(derived.others);
      [nodes, bound] = [derived, found];
    }
    if (bound === 0) return EMPTY_EDGE;
    const [frontier, [lastLeaf]] = await Promise.all([
      frontierAt(readerOf(nodes), bound),
      ledger.nodes(0, bound - 1, 1),
    ] as const);
    return { frontier, lastLeaf };
  }

  async #holds({ size, mac }: BoundEnd, root: Uint8Array): Promise<boolean> {
    return sameMac(mac, await endMac(this.#dependencies.vault, { size, root }));
  }

  /** What checkpoints of this custodian say of more than that: whoever takes MACs off the last entries takes nothing off that was signed. */
  async #signed(above: number, most: number): Promise<readonly Claim[]> {
    const { checkpoints, stateFolder } = this.#dependencies;
    const texts = [(await checkpoints.last(most))?.note, await seenBy(nearWitness(stateFolder))];
    const notes = texts.flatMap((text) => parsed(text) ?? []);
    const wanted = notes.filter(({ checkpoint: { size } }) => size > above && size <= most);
    if (wanted.length === 0) return [];
    const keys = await this.#dependencies.keys();
    return wanted
      .filter((note) => keys.some((one) => isSignedBy(note, note.checkpoint.log, one)))
      .map(({ checkpoint: { size, root } }) => ({
        size,
        holds: async (stored) => Buffer.from(stored).equals(root),
      }));
  }
}

/** Something that says where the ledger once ended. */
interface Claim {
  readonly size: number;
  readonly holds: (root: Uint8Array) => Promise<boolean>;
}

/** The size of the first claim that holds over a tree, of those in order from the largest; 0 where none does. */
async function largest(claims: readonly Claim[], nodes: StoredNodes): Promise<number> {
  for (const { size, holds } of claims) {
    const root = await rootAt(nodes, size);
    if (root !== undefined && (await holds(root))) return size;
  }
  return 0;
}

/** Leaves as they are stored cost nothing to believe; a MAC each is wanted where these are not the tree's either. */
const LEAF_SOURCES: readonly LeafSource[] = ["stored", "judged"];

/** Nodes of a statement. */
const NODES_AT_ONCE = 1000;

function entriesUnder({ level, index }: CompletedNode): EntryRange {
  const width = 2 ** level;
  return { from: index * width + 1, to: (index + 1) * width };
}

function parsed(text: string | undefined): Note | undefined {
  try {
    return text === undefined ? undefined : parseNote(text);
  } catch (error) {
    if (error instanceof LedgerError) return undefined;
    throw error;
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

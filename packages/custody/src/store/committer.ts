import { Turn } from "@meterkeep/dlms";
import {
  append,
  checkDraft,
  type EntryRange,
  edgeOf,
  type Frontier,
  type Growth,
  type GrowthMacs,
  grownFrom,
  growthOf,
  judgedLeaves,
  type LedgerDraft,
  type LedgerEdge,
  LedgerError,
  rootOf,
  type TreeHead,
} from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";
import { gapFilling } from "./gap-filling.ts";
import type { Gathering } from "./gathering.ts";
import type { CustodyStore, Write } from "./store.ts";

/** Writes and ledger entries that belong together: durable all, or none. */
export interface Change {
  readonly writes?: readonly Write[];
  readonly entries?: readonly LedgerDraft[];
  /** Whoever waits for it is one of many: it may wait for more to share its commit. */
  readonly canWait?: boolean;
}

/** Makes changes durable. Octets leave only after the promise has been kept. */
export interface Committer {
  submit(change: Change): Promise<void>;
}

interface Waiting {
  readonly change: Change;
  /** What had been found foreign when it was submitted. */
  readonly findings: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What a committer tells of, and asks before it writes. */
export interface CommitterPorts {
  /** Throws while nothing may be written. */
  readonly check: () => void;
  /** The ledger has grown to so many entries. */
  readonly onGrowth: (size: number) => void;
  /** The stored ledger is not what this process has written: an older one was put back, or another. */
  readonly onForeign: (error: LedgerError) => void;
  /** What binds to its writer what a commit adds to the ledger. */
  readonly bind: (growth: Growth) => Promise<GrowthMacs | undefined>;
  /**
   * Finds how far the stored ledger goes, of which this process knows `ours`: before it is asked how long it is.
   *
   * @returns where its own entries end, whatever is stored of the tree; undefined where nobody knows
   */
  readonly limit: (ours: LedgerEdge | undefined) => Promise<LedgerEdge | undefined>;
  /** An entry that fills a gap. */
  readonly filling: () => LedgerDraft;
  /** The entry that names those of somebody else between gaps that are filled: they count nowhere. */
  readonly adopt: (range: EntryRange) => Promise<LedgerDraft>;
  /** Judges where the stored ledger ends, of which `own` is this custodian's. @returns what is to be said of it first */
  readonly examine: (stored: LedgerEdge, own: LedgerEdge) => Promise<readonly LedgerDraft[]>;
  /** Gives changes that can wait the time to become more: calls `enough` when it is over. @returns what ends it before. */
  readonly gather: Gathering;
}

const FILLING: LedgerDraft = {
  ...{ at: 0, kind: "ledger-gap-filled", principal: "custodian", utility: "*", island: "*", body: {} },
};

const ALONE: CommitterPorts = {
  check: () => undefined,
  onGrowth: () => undefined,
  onForeign: () => undefined,
  bind: async () => undefined,
  limit: async (ours) => ours,
  filling: () => FILLING,
  adopt: async () => FILLING,
  examine: async () => [],
  gather: (enough) => {
    enough();
    return () => undefined;
  },
};

/**
 * Commits in groups: what is submitted while a commit is under way shares the next one, so that durability costs a
 * session about one commit whatever the load. While all that waits can wait, more is gathered first.
 *
 * States: *idle*, *gathering* (until more has come, or something that cannot wait), *committing* (one commit under way,
 * changes may wait), *closed* (nothing more is taken).
 * When the database refuses a group, each change is tried alone, so that only the one to blame fails. After any failure, and before anybody
 * hears of it, the ledger's end is read again; it must be what this process knows, grown by what it has tried to commit or by what is
 * foreign. Where it is foreign, everything that was submitted before is refused: it may have been decided by what is foreign.
 */
export class GroupCommitter implements Committer {
  static readonly MAX_GROUP = 512;
  /** So many are worth a commit: they wait for no more. */
  static readonly WORTH_A_COMMIT = 64;
  readonly #store: Pick<CustodyStore, "commit" | "ledger">;
  readonly #ports: CommitterPorts;
  #edge: LedgerEdge | undefined;
  #isSure = false;
  /** A gap was filled since the ledger's end was read last. */
  #hasFilled = false;
  readonly #turn = new Turn();
  /** How often something foreign was found under this process. */
  #findings = 0;
  /** What the next commit says of the ledger as it was found. */
  #first: readonly LedgerDraft[] = [];
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** Ends the gathering, while there is one. */
  #hurry: (() => void) | undefined;

  constructor(store: Pick<CustodyStore, "commit" | "ledger">, ports: Partial<CommitterPorts> = {}) {
    this.#store = store;
    this.#ports = { ...ALONE, ...ports };
  }

  async submit(change: Change): Promise<void> {
    if (this.#closed) throw new CustodyError("custody-closed", "custody is closing: nothing more is written");
    this.#ports.check();
    for (const draft of change.entries ?? []) checkDraft(draft);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ change, findings: this.#findings, resolve, reject });
    if (change.canWait !== true || this.#waiting.length >= GroupCommitter.WORTH_A_COMMIT) this.#hurry?.();
    this.#running ??= this.#run();
    return promise;
  }

  /** Whether something was submitted that is not durable yet, or of which nobody knows it. */
  get isCommitting(): boolean {
    return this.#running !== undefined;
  }

  /** Size and root of the ledger's tree. */
  async head(): Promise<TreeHead> {
    const { frontier } = await this.edge();
    return { size: frontier.size, root: rootOf(frontier) };
  }

  /** The same, once all that is to be said first of the ledger as it was found is durable: nothing may be signed before. */
  async signableHead(): Promise<TreeHead> {
    for (;;) {
      const head = await this.head();
      if (this.#first.length === 0) return head;
      await this.submit({});
    }
  }

  /** Where the ledger ends. @throws LedgerError `ledger-restored` when the stored one is not what this process knows. */
  edge(): Promise<LedgerEdge> {
    return this.#turn.run(async () => {
      if (this.#edge === undefined || !this.#isSure) {
        const { ledger } = this.#store;
        const ours = this.#edge;
        // What stood behind a gap that is filled by now was read by nobody.
        const wasRead = !this.#hasFilled;
        this.#hasFilled = false;
        const limit = await this.#ports.limit(ours);
        if (ours !== undefined) await this.#requireStored(ours);
        const own = limit ?? (await edgeOf(ledger));
        const grown = await grownFrom(ledger, own);
        const [lastLeaf] = grown.lastLeaf === undefined ? [] : await ledger.nodes(0, grown.frontier.size - 1, 1);
        const stored = { ...grown, lastLeaf };
        const found = await this.#ports.examine(stored, own);
        this.#first = [...this.#first, ...found];
        if (this.#edge !== undefined && found.length > 0 && wasRead) this.#findings += 1;
        this.#edge = stored;
        this.#isSure = true;
      }
      return this.#edge;
    });
  }

  /** Waits for what was submitted and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#hurry?.();
    await this.#running;
  }

  /** By the leaves of the block in which it ends: what is stored above them is derived, and may be of others. */
  async #requireStored({ frontier, lastLeaf }: LedgerEdge): Promise<void> {
    const { ledger } = this.#store;
    const size = await ledger.size();
    const begin = frontier.size - (frontier.size % BLOCK_ENTRIES);
    const whole: Frontier = { size: begin, peaks: frontier.peaks.slice(0, onesIn(begin)) };
    const isGrown = (leaves: readonly Uint8Array[]) =>
      isSame(rootOf(leaves.reduce((to, leaf) => append(to, leaf).frontier, whole)), rootOf(frontier));
    // Where a stored leaf was changed, that of what the entry says is the tree's.
    const isOurs = async (read: (after: number, count: number) => Promise<Uint8Array[]>) =>
      size >= frontier.size &&
      isGrown(await read(begin, frontier.size - begin)) &&
      (lastLeaf === undefined || (await read(frontier.size - 1, 1)).some((last) => isSame(last, lastLeaf)));
    if (await isOurs((after, count) => ledger.nodes(0, after, count))) return;
    if (await isOurs((after, count) => judgedLeaves(ledger, after, count))) return;
    const error = new LedgerError(
      "ledger-restored",
      `the database holds ${size} ledger entries that are not the ${frontier.size} this process knows: it was restored under it`,
    );
    this.#ports.onForeign(error);
    throw error;
  }

  async #run(): Promise<void> {
    // Lets everything submitted in this turn of the event loop into the first group: what one step writes, an entry
    // here and a reservation there, is one commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      await this.#gather();
      const group = this.#waiting.splice(0, GroupCommitter.MAX_GROUP);
      await this.#commit(group);
    }
    this.#running = undefined;
  }

  /**
   * What the ledger becomes. Where it would run into a row behind a gap, the gap is filled instead, and those that follow at once: what
   * stands behind them follows on then, and is foreign as ever.
   *
   * @returns undefined after that
   */
  async #grow(edge: LedgerEdge, drafts: readonly LedgerDraft[]): Promise<Growth | undefined> {
    const { beyond } = this.#store.ledger.foreign;
    const room = beyond === undefined ? drafts.length : Number(beyond) - 1 - edge.frontier.size;
    if (drafts.length <= room) return this.#bound(growthOf(edge, drafts));
    const { filling, adopt } = this.#ports;
    const { ledger } = this.#store;
    const { growth, adopted } = await gapFilling(ledger, edge, { filling, naming: adopt });
    await this.#store.commit([], await this.#bound(growth));
    if (adopted !== undefined) ledger.foreign.add({ ...adopted, fault: "appended" });
    this.#edge = growth.to;
    this.#hasFilled = true;
    this.#isSure = false;
    return undefined;
  }

  async #bound(growth: Growth): Promise<Growth> {
    return { ...growth, macs: growth.entries.length === 0 ? undefined : await this.#ports.bind(growth) };
  }

  async #gather(): Promise<void> {
    if (this.#closed || this.#waiting.length >= GroupCommitter.WORTH_A_COMMIT) return;
    if (!this.#waiting.every(({ change }) => change.canWait === true)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#ports.gather(resolve);
    this.#hurry = () => {
      cancel();
      resolve();
    };
    await promise;
    this.#hurry = undefined;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const edge = await this.edge();
      if (this.#refuseTainted(group)) {
        const left = group.filter(({ findings }) => findings === this.#findings);
        if (left.length > 0) await this.#commit(left);
        return;
      }
      const first = this.#first;
      const growth = await this.#grow(edge, [...first, ...group.flatMap(({ change }) => change.entries ?? [])]);
      if (growth === undefined) return this.#commit(group);
      await this.#store.commit(
        group.flatMap(({ change }) => change.writes ?? []),
        growth,
      );
      this.#edge = growth.to;
      this.#first = this.#first.slice(first.length);
      for (const { resolve } of group) resolve();
      if (growth.entries.length > 0) this.#ports.onGrowth(growth.to.frontier.size);
    } catch (error) {
      this.#isSure = false;
      const before = this.#findings;
      // Whoever hears of the failure reads again, and must not read what is foreign. One that fails is made up for by the next commit.
      await this.edge().catch(() => undefined);
      const isClean = before === this.#findings;
      if (isClean && group.length > 1 && isRefusal(error)) for (const one of group) await this.#commit([one]);
      else for (const { reject } of group) reject(error);
    }
  }

  /** @returns whether there were any */
  #refuseTainted(group: readonly Waiting[]): boolean {
    const tainted = group.filter(({ findings }) => findings !== this.#findings);
    for (const { reject } of tainted) reject(decidedByForeign());
    return tainted.length > 0;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.from(one).equals(other);
}

function onesIn(number: number): number {
  return number.toString(2).replaceAll("0", "").length;
}

/** Entries under the lowest stored node. */
const BLOCK_ENTRIES = 256;

/** What was decided may rest on entries that were found since to be somebody else's. */
export function decidedByForeign(): LedgerError {
  return new LedgerError(
    "ledger-forked",
    "entries that this custodian has not written were found in the ledger after this was decided: it is not written; ask again",
  );
}

/** Refused by the database, so surely not written: trying the parts alone cannot write anything twice. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof CustodyError &&
    (error.code === "custody-write-conflict" || error.code === "counter-line-exhausted")
  );
}

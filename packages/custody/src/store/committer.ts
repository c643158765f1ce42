import { Turn } from "@meterkeep/dlms";
import {
  checkDraft,
  edgeOf,
  frontierAt,
  type Growth,
  type GrowthMacs,
  growthOf,
  type LedgerDraft,
  type LedgerEdge,
  LedgerError,
  readerOf,
  rootOf,
  type TreeHead,
} from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";
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
  /** Finds how far the stored ledger goes, of which this process has written `ours` entries: before it is asked how long it is. */
  readonly limit: (ours: number) => Promise<void>;
  /** An entry that fills a gap. */
  readonly filling: () => LedgerDraft;
  /** Judges where the stored ledger ends, of which this process has written `ours` entries. @returns what is to be said of it first */
  readonly examine: (stored: LedgerEdge, ours: number) => Promise<readonly LedgerDraft[]>;
  /** Gives changes that can wait the time to become more: calls `enough` when it is over. @returns what ends it before. */
  readonly gather: Gathering;
}

const ALONE: CommitterPorts = {
  check: () => undefined,
  onGrowth: () => undefined,
  onForeign: () => undefined,
  bind: async () => undefined,
  limit: async () => undefined,
  filling: () => ({ at: 0, kind: "ledger-gap-filled", principal: "custodian", utility: "*", island: "*", body: {} }),
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
        const ours = this.#edge?.frontier.size ?? 0;
        // What stood behind a gap that is filled by now was read by nobody.
        const wasRead = this.#store.ledger.foreign.beyond !== BigInt(ours) + 1n;
        await this.#ports.limit(ours);
        const stored = await edgeOf(this.#store.ledger);
        await this.#requireOurs(stored);
        const found = await this.#ports.examine(stored, ours);
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

  async #requireOurs({ frontier: { size } }: LedgerEdge): Promise<void> {
    if (this.#edge === undefined) return;
    const { frontier } = this.#edge;
    const isOurs =
      size >= frontier.size &&
      Buffer.from(rootOf(await frontierAt(readerOf(this.#store.ledger), frontier.size))).equals(rootOf(frontier));
    if (isOurs) return;
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
   * What the ledger becomes. Where it would run into a row behind a gap, the gap is filled instead: what stands behind it follows on
   * then, and is foreign as ever.
   *
   * @returns undefined after that
   */
  async #grow(edge: LedgerEdge, drafts: readonly LedgerDraft[]): Promise<Growth | undefined> {
    const { beyond } = this.#store.ledger.foreign;
    const room = beyond === undefined ? drafts.length : Number(beyond) - 1 - edge.frontier.size;
    const fits = drafts.length <= room;
    const grown = growthOf(edge, fits ? drafts : Array.from({ length: room }, this.#ports.filling));
    const growth = { ...grown, macs: grown.entries.length === 0 ? undefined : await this.#ports.bind(grown) };
    if (fits) return growth;
    await this.#store.commit([], growth);
    this.#edge = growth.to;
    this.#isSure = false;
    return undefined;
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

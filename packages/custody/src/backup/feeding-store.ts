import {
  type EntryRange,
  entryLine,
  entryOf,
  type Growth,
  type GrowthMacs,
  type LedgerDraft,
  type LedgerEntry,
} from "@meterkeep/ledger";
import type { ShipmentRecord } from "../store/records.ts";
import type { CustodyStore, StagedMeter, Write } from "../store/store.ts";
import type { ChangeFeed } from "./change-feed.ts";

/** Where a ledger stood: its size, and the leaf of its last entry, hex; none for an empty one. */
export interface FeedEdge {
  readonly size: number;
  readonly leaf: string | undefined;
}

/** One change of a custodian's database. */
export type FeedChange =
  | {
      readonly kind: "commit";
      readonly writes: readonly Write[];
      /** The ledger's lines, where it grows: they follow `from`; and what binds the last of them to the custodian. */
      readonly growth?: {
        readonly from: FeedEdge;
        readonly to: FeedEdge;
        readonly lines: readonly string[];
        /** Somebody else's whose line does not come to their leaf: in their place, by sequence. */
        readonly strange?: readonly LedgerEntry[];
        readonly macs?: { readonly entries: readonly (Uint8Array | null)[]; readonly end: Uint8Array };
      };
      readonly at: number;
    }
  | { readonly kind: "stage"; readonly stage: number; readonly meters: readonly StagedMeter[] }
  | { readonly kind: "shipment"; readonly stage: number; readonly shipment: ShipmentRecord }
  /** Another member of the store that changes something: the port, the member, what it was given. */
  | {
      readonly kind: "call";
      readonly port: FeedPort;
      readonly member: string;
      readonly args: readonly unknown[];
    }
  /** What came before is missing here: nothing after it can be done again. */
  | { readonly kind: "gap"; readonly problem: string };

/** The parts of the store that have members of their own which change something. */
interface Ports {
  readonly rotations: CustodyStore["rotations"];
  readonly enrolments: CustodyStore["enrolments"];
  readonly checkpoints: CustodyStore["checkpoints"];
  readonly vaultKeys: CustodyStore["vaultKeys"];
  readonly vaultSecrets: CustodyStore["vaultSecrets"];
  readonly installation: CustodyStore["installation"];
  readonly "pki.registry": CustodyStore["pki"]["registry"];
  readonly "pki.assignments": CustodyStore["pki"]["assignments"];
  readonly "pki.passwords": CustodyStore["pki"]["passwords"];
  readonly "pki.plans": CustodyStore["pki"]["plans"];
}
export type FeedPort = keyof Ports;

/**
 * Which members change something. Each stands here by name: one that is added does not compile until somebody has said
 * whether it is done again.
 */
const MEMBERS: { readonly [P in FeedPort]: { readonly [M in keyof Ports[P]]: "reads" | "changes" } } = {
  rotations: {
    plan: "changes",
    setPolicy: "changes",
    due: "reads",
    unbegun: "reads",
    titles: "reads",
    plannedSince: "reads",
    counts: "reads",
    gone: "reads",
    compromised: "reads",
    policy: "reads",
  },
  enrolments: {
    plan: "changes",
    setPolicy: "changes",
    due: "reads",
    titles: "reads",
    counts: "reads",
    pace: "reads",
    policy: "reads",
  },
  checkpoints: { add: "changes", cosign: "changes", last: "reads", list: "reads" },
  vaultKeys: { insert: "changes", destroy: "changes", find: "reads", all: "reads" },
  vaultSecrets: {
    insert: "changes",
    addCopies: "changes",
    replaceCopies: "changes",
    destroy: "changes",
    find: "reads",
    all: "reads",
  },
  installation: {
    insertRoot: "changes",
    insertNamedSecret: "changes",
    inUse: "reads",
    root: "reads",
    namedSecret: "reads",
    namedSecrets: "reads",
  },
  "pki.registry": {
    addAuthority: "changes",
    order: "changes",
    issued: "changes",
    revoke: "changes",
    revokeAgain: "changes",
    authorities: "reads",
    find: "reads",
    findAll: "reads",
    count: "reads",
    page: "reads",
    search: "reads",
    isRevoked: "reads",
    revoked: "reads",
    revokedIn: "reads",
    extent: "reads",
    meters: "reads",
    endings: "reads",
    newest: "reads",
    addList: "changes",
    newestList: "reads",
  },
  "pki.assignments": { add: "changes", newest: "reads" },
  "pki.passwords": { add: "changes", take: "changes", giveBack: "changes" },
  "pki.plans": {
    add: "changes",
    move: "changes",
    addRemovals: "changes",
    reopenRemovals: "changes",
    finishRemoval: "changes",
    cut: "changes",
    lift: "changes",
    list: "reads",
    removals: "reads",
    openRemovals: "reads",
    plansOf: "reads",
    cuts: "reads",
  },
};

/** Foreign entries that the feed takes with the commit that follows them; of more it says that they are missing. */
const MOST_FOREIGN = 10_000;
const MOST_FOREIGN_CHARACTERS = 16 * 1024 * 1024;
const ROWS_AT_ONCE = 256;

/** The same store, telling a feed of every change before it is made. */
export function feedingStore(
  store: CustodyStore,
  feed: Pick<ChangeFeed, "note" | "lose">,
  now: () => number,
): CustodyStore {
  const note = (change: FeedChange): Promise<void> => feed.note(change);
  let stages = 0;
  const told = <P extends FeedPort>(port: P, part: Ports[P]): Ports[P] => {
    const members = Object.entries(part).map(([member, call]: [string, (...args: unknown[]) => unknown]) => [
      member,
      (MEMBERS[port] as Readonly<Record<string, string>>)[member] === "reads"
        ? call
        : async (...args: unknown[]) => {
            await note({ kind: "call", port, member, args });
            return call.apply(part, args);
          },
    ]);
    return Object.fromEntries(members) as Ports[P];
  };
  return {
    commit: async (writes, growth) => {
      const grown = growth && { growth: await withForeign(store, feed, grownBy(growth)) };
      await note({ kind: "commit", writes, at: now(), ...grown });
      await store.commit(writes, growth);
    },
    stageShipment: async () => {
      const staged = await store.stageShipment();
      stages += 1;
      const stage = now() * 1000 + (stages % 1000);
      return {
        knows: staged.knows,
        left: staged.left,
        add: async (meters) => {
          await note({ kind: "stage", stage, meters });
          return staged.add(meters);
        },
        commit: async (shipment) => {
          await note({ kind: "shipment", stage, shipment });
          await staged.commit(shipment);
        },
        drop: staged.drop,
      };
    },
    rotations: told("rotations", store.rotations),
    enrolments: told("enrolments", store.enrolments),
    checkpoints: told("checkpoints", store.checkpoints),
    vaultKeys: told("vaultKeys", store.vaultKeys),
    vaultSecrets: told("vaultSecrets", store.vaultSecrets),
    installation: told("installation", store.installation),
    pki: {
      registry: told("pki.registry", store.pki.registry),
      assignments: told("pki.assignments", store.pki.assignments),
      passwords: told("pki.passwords", store.pki.passwords),
      plans: told("pki.plans", store.pki.plans),
      // Signed anew wherever they are missing.
      answers: store.pki.answers,
    },
    // Reading.
    pkiLedger: store.pkiLedger,
    load: store.load,
    loadPage: store.loadPage,
    counterLine: store.counterLine,
    entriesBehind: store.entriesBehind,
    meterCount: store.meterCount,
    provenMeterCount: store.provenMeterCount,
    provenMeterSample: store.provenMeterSample,
    shipmentMeters: store.shipmentMeters,
    ledger: store.ledger,
    authority: store.authority,
    restorations: store.restorations,
  };
}

/** Does a noted call again. */
export async function callAgain(
  store: CustodyStore,
  { port, member, args }: Extract<FeedChange, { kind: "call" }>,
): Promise<void> {
  if ((MEMBERS[port] as Readonly<Record<string, string>>)[member] !== "changes") return;
  const [outer, inner] = port.split(".") as [keyof CustodyStore, string | undefined];
  const part = (
    inner === undefined ? store[outer] : (store[outer] as unknown as Readonly<Record<string, unknown>>)[inner]
  ) as Readonly<Record<string, (...all: readonly unknown[]) => Promise<unknown>>>;
  await part[member]?.(...args);
}

type FeedGrowth = NonNullable<Extract<FeedChange, { kind: "commit" }>["growth"]>;

/**
 * What somebody else has written behind the custodian's last entry was told to no feed: it goes before the commit that follows it,
 * so that a replay comes to the same tree.
 */
async function withForeign(
  { ledger }: Pick<CustodyStore, "ledger">,
  feed: Pick<ChangeFeed, "lose">,
  growth: FeedGrowth,
): Promise<FeedGrowth> {
  let own = growth.from.size;
  const appendedAt = (sequence: number): EntryRange | undefined => ledger.foreign.at(sequence, "appended");
  for (let range = appendedAt(own); range !== undefined; range = appendedAt(own)) own = range.from - 1;
  const count = growth.from.size - own;
  if (count === 0) return growth;
  const rows = count <= MOST_FOREIGN ? await rowsAfter(ledger, own, count) : [];
  if (rows.length !== count) {
    await feed.lose(
      `entries ${own + 1} to ${growth.from.size} of the ledger were written by somebody else and cannot be done again`,
    );
    return growth;
  }
  const [leaf] = own === 0 ? [] : await ledger.nodes(0, own - 1, 1);
  const from = { size: own, leaf: leaf && Buffer.from(leaf).toString("hex") };
  const { lines, strange } = linesOf(rows);
  return {
    ...growth,
    from,
    lines: [...lines, ...growth.lines],
    ...((strange ?? growth.strange) && { strange: [...(strange ?? []), ...(growth.strange ?? [])] }),
  };
}

/** All of them, unless they are of more text than a feed should take. */
async function rowsAfter(
  ledger: CustodyStore["ledger"],
  after: number,
  count: number,
): Promise<readonly LedgerEntry[]> {
  const found: LedgerEntry[] = [];
  for (let characters = 0; found.length < count && characters < MOST_FOREIGN_CHARACTERS; ) {
    const page = await ledger.read(after + found.length, Math.min(ROWS_AT_ONCE, count - found.length));
    if (page.length === 0) break;
    found.push(...page);
    characters += page.reduce((sum, entry) => sum + entryLine(entry).length, 0);
  }
  return found;
}

/** Entries as lines, and those whose line does not come to what is hashed: their text was changed, or it is no JSON. */
function linesOf(entries: readonly LedgerEntry[]): Pick<FeedGrowth, "lines" | "strange"> {
  const strange = new Set(entries.filter((entry) => !comesBack(entry)));
  const lines = entries.map((entry) => (strange.has(entry) ? "" : entryLine(entry)));
  return { lines, ...(strange.size > 0 && { strange: [...strange] }) };
}

function comesBack(entry: LedgerEntry): boolean {
  try {
    return Buffer.from(entryOf(entry.sequence, JSON.parse(entryLine(entry)) as LedgerDraft).leaf).equals(entry.leaf);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function grownBy({ from, to, entries, adopted = [], macs }: Growth): FeedGrowth {
  const edge = ({ frontier, lastLeaf }: Growth["from"]): FeedEdge => ({
    size: frontier.size,
    leaf: lastLeaf && Buffer.from(lastLeaf).toString("hex"),
  });
  const ends = { from: edge(from), to: edge(to) };
  if (adopted.length === 0) return { ...ends, lines: entries.map(entryLine), ...(macs && { macs: notedMacs(macs) }) };
  const macOf = new Map(entries.map(({ sequence }, at) => [sequence, macs?.entries[at]]));
  const all = [...entries, ...adopted].sort((one, other) => one.sequence - other.sequence);
  const inPlace = all.map(({ sequence }) => macOf.get(sequence));
  return { ...ends, ...linesOf(all), ...(macs && { macs: notedMacs({ ...macs, entries: inPlace }) }) };
}

function notedMacs({ entries, end }: GrowthMacs): NonNullable<FeedGrowth["macs"]> {
  return { entries: entries.map((mac) => mac ?? null), end };
}

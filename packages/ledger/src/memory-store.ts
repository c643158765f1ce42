import type { LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { ForeignEntries } from "./foreign-entries.ts";
import type { BoundEnd, LedgerStore } from "./store.ts";

/** A ledger that lasts as long as the process: for tests and for offline work on an export. */
export function memoryLedgerStore(foreign = new ForeignEntries()): LedgerStore {
  const entries: LedgerEntry[] = [];
  const macs: (Uint8Array | undefined)[] = [];
  const ends: BoundEnd[] = [];
  const byKind = new Map<string, LedgerEntry[]>();
  const byMeter = new Map<string, LedgerEntry[]>();
  const nodes = new Map<number, Uint8Array[]>();
  const counting = (found: readonly LedgerEntry[]) => found.filter(({ sequence }) => !foreign.has(sequence));
  const countingOf = (kinds: readonly string[]) => counting(inOrder(kinds.flatMap((kind) => byKind.get(kind) ?? [])));
  return {
    foreign,
    size: async () => entries.length,
    ends: async (size, limit) =>
      ends
        .filter((end) => end.size <= size)
        .reverse()
        .slice(0, limit),
    append: async (growth) => {
      if (growth.from.frontier.size !== entries.length)
        throw new LedgerError(
          "ledger-forked",
          `entry ${growth.from.frontier.size + 1} does not follow ${entries.length}`,
        );
      for (const entry of growth.entries) {
        macs[entries.length] = growth.macs?.entries[entries.length - growth.from.frontier.size];
        entries.push(entry);
        listed(byKind, entry.kind).push(entry);
        if (entry.meter !== undefined) listed(byMeter, entry.meter).push(entry);
      }
      if (growth.macs !== undefined && growth.entries.length > 0)
        ends.push({ size: growth.to.frontier.size, mac: growth.macs.end });
      for (const { level, index, hash } of growth.nodes) listed(nodes, level)[index] = hash;
    },
    putNodes: async (more) => {
      for (const { level, index, hash } of more) listed(nodes, level)[index] = hash;
    },
    kinds: async ({ from, to }, limit) => [
      ...new Set(entries.slice(from - 1, Math.min(to, from - 1 + limit)).map(({ kind }) => kind)),
    ],
    ofItself: async () => countingOf([...byKind.keys()].filter((kind) => kind.startsWith("ledger-"))),
    ofKinds: async (kinds) => countingOf(kinds),
    ofMeters: async (meters, kinds) => {
      const found = meters.flatMap((meter) => byMeter.get(meter) ?? []);
      return counting(inOrder(found.filter(({ kind }) => kinds.includes(kind))));
    },
    lastOf: async (kinds, principal, utility) =>
      countingOf(kinds).findLast((entry) => entry.principal === principal && entry.utility === utility),
    read: async (after, limit) => entries.slice(after, after + limit),
    rows: async (after, limit) =>
      entries.slice(after, after + limit).map((entry, at) => ({ entry, mac: macs[after + at] })),
    follow: async () => ({ last: entries.length, next: undefined }),
    scattered: async (after, limit) => entries.slice(after, after + limit),
    counted: async (after, limit) =>
      counting(entries)
        .filter(({ sequence }) => sequence > after)
        .slice(0, limit),
    nodes: async (level, from, count) =>
      level === 0
        ? entries.slice(from, from + count).map(({ leaf }) => leaf)
        : listed(nodes, level).slice(from, from + count),
  };
}

/** The list under a name, made where there is none. */
function listed<Name, T>(lists: Map<Name, T[]>, name: Name): T[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}

const inOrder = (entries: LedgerEntry[]) => entries.sort((one, other) => one.sequence - other.sequence);

import type { LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { ForeignEntries } from "./foreign-entries.ts";
import type { BoundEnd, LedgerStore } from "./store.ts";

/** A ledger that lasts as long as the process: for tests and for offline work on an export. */
export function memoryLedgerStore(foreign = new ForeignEntries()): LedgerStore {
  const entries: LedgerEntry[] = [];
  const ends: BoundEnd[] = [];
  const counting = () => entries.filter(({ sequence }) => !foreign.has(sequence));
  const nodes = new Map<number, Uint8Array[]>();
  const levelOf = (level: number): Uint8Array[] => {
    const hashes = nodes.get(level) ?? [];
    nodes.set(level, hashes);
    return hashes;
  };
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
      entries.push(...growth.entries);
      if (growth.macs !== undefined && growth.entries.length > 0)
        ends.push({ size: growth.to.frontier.size, mac: growth.macs.end });
      for (const { level, index, hash } of growth.nodes) levelOf(level)[index] = hash;
    },
    addNodes: async (more) => {
      for (const { level, index, hash } of more) levelOf(level)[index] ??= hash;
    },
    ofItself: async () => counting().filter(({ kind }) => kind.startsWith("ledger-")),
    ofKinds: async (kinds) => counting().filter(({ kind }) => kinds.includes(kind)),
    ofMeters: async (meters, kinds) =>
      counting().filter(({ kind, meter }) => kinds.includes(kind) && meter !== undefined && meters.includes(meter)),
    lastOf: async (kinds, principal, utility) =>
      counting().findLast(
        (entry) => kinds.includes(entry.kind) && entry.principal === principal && entry.utility === utility,
      ),
    read: async (after, limit) => entries.slice(after, after + limit),
    rows: async (after, limit) => entries.slice(after, after + limit).map((entry) => ({ entry, mac: undefined })),
    follow: async () => ({ last: entries.length, next: undefined }),
    counted: async (after, limit) =>
      counting()
        .filter(({ sequence }) => sequence > after)
        .slice(0, limit),
    nodes: async (level, from, count) =>
      level === 0
        ? entries.slice(from, from + count).map(({ leaf }) => leaf)
        : levelOf(level).slice(from, from + count),
  };
}

import type { LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import type { LedgerStore } from "./store.ts";

/** A ledger that lasts as long as the process: for tests and for offline work on an export. */
export function memoryLedgerStore(): LedgerStore {
  const entries: LedgerEntry[] = [];
  const nodes = new Map<number, Uint8Array[]>();
  const levelOf = (level: number): Uint8Array[] => {
    const hashes = nodes.get(level) ?? [];
    nodes.set(level, hashes);
    return hashes;
  };
  return {
    size: async () => entries.length,
    append: async (growth) => {
      if (growth.from.frontier.size !== entries.length)
        throw new LedgerError(
          "ledger-forked",
          `entry ${growth.from.frontier.size + 1} does not follow ${entries.length}`,
        );
      entries.push(...growth.entries);
      for (const { level, index, hash } of growth.nodes) levelOf(level)[index] = hash;
    },
    addNodes: async (more) => {
      for (const { level, index, hash } of more) levelOf(level)[index] ??= hash;
    },
    ofItself: async () => entries.filter(({ kind }) => kind.startsWith("ledger-")),
    ofKinds: async (kinds) => entries.filter(({ kind }) => kinds.includes(kind)),
    ofMeters: async (meters, kinds) =>
      entries.filter(({ kind, meter }) => kinds.includes(kind) && meter !== undefined && meters.includes(meter)),
    lastOf: async (kinds, principal, utility) =>
      entries.findLast(
        (entry) => kinds.includes(entry.kind) && entry.principal === principal && entry.utility === utility,
      ),
    read: async (after, limit) => entries.slice(after, after + limit),
    nodes: async (level, from, count) =>
      level === 0
        ? entries.slice(from, from + count).map(({ leaf }) => leaf)
        : levelOf(level).slice(from, from + count),
  };
}

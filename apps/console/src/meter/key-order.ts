import type { MeterDetail } from "@meterkeep/api";

type Key = MeterDetail["keys"][number];

const PURPOSES = ["GUEK", "GAK", "GBEK", "KEK"];

/** The keys in use, and all others: by purpose, the newest version first. */
export function keysByUse(keys: readonly Key[]): { readonly inUse: readonly Key[]; readonly others: readonly Key[] } {
  const ordered = keys.toSorted(
    (a, b) => PURPOSES.indexOf(a.purpose) - PURPOSES.indexOf(b.purpose) || b.version - a.version,
  );
  return {
    inUse: ordered.filter(({ state }) => state === "active"),
    others: ordered.filter(({ state }) => state !== "active"),
  };
}

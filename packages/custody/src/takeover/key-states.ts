import type { KeyRecord } from "../store/records.ts";
import type { Write } from "../store/store.ts";
import type { TakeoverEffect } from "./journal.ts";

type StateWrite = Extract<Write, { kind: "set-key-state" }>;

/** What the machine's effects mean for the states of keys: the one in use is active, the one before it deactivated. */
export function keyStateWrites(
  keys: readonly KeyRecord[],
  effects: readonly TakeoverEffect[],
  at: number,
): StateWrite[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== "key-active") return [];
    const { purpose, version } = effect.key;
    const of = keys.filter((key) => key.purpose === purpose);
    const next = of.find((key) => key.version === version);
    if (next === undefined) return [];
    const former = of.filter((key) => key.state === "active" && key.version !== version);
    return [
      ...former.map((key): StateWrite => ({ ...named(key), state: "deactivated" })),
      { ...named(next), state: "active", provenAt: effect.proven ? at : undefined },
    ];
  });
}

/** The keys after those writes. */
export function withKeyStates(keys: readonly KeyRecord[], writes: readonly StateWrite[]): KeyRecord[] {
  return keys.map((key) => {
    const write = writes.findLast(({ purpose, version }) => purpose === key.purpose && version === key.version);
    return write === undefined ? key : { ...key, state: write.state, provenAt: write.provenAt ?? key.provenAt };
  });
}

function named({ utility, island, systemTitle, setup, purpose, version }: KeyRecord) {
  return { kind: "set-key-state", place: { utility, island, systemTitle, setup }, purpose, version } as const;
}

import type { KeyState } from "@meterkeep/api/custodian";
import { mayBecome } from "../keys/key-transition.ts";
import { inSetup, isNamed, type KeyRecord } from "../store/records.ts";
import type { Write } from "../store/store.ts";
import type { TakeoverEffect } from "./journal.ts";

type StateWrite = Extract<Write, { kind: "set-key-state" }>;

/** A key that goes from one state to another; the ledger has an entry of each. */
export interface KeyTransition {
  readonly write: StateWrite;
  readonly from: KeyState;
}

/**
 * What the machine's effects mean for the states of keys of a security setup: the one in use is active, the one before it
 * deactivated. A key that is compromised stays so; what NIST SP 800-57 does not allow is left out.
 */
export function keyTransitions(
  keys: readonly KeyRecord[],
  effects: readonly TakeoverEffect[],
  at: number,
  setup: number,
): KeyTransition[] {
  let now = keys;
  const transitions: KeyTransition[] = [];
  for (const effect of effects) {
    if (effect.kind !== "key-active") continue;
    const next = activations(now, { ...effect, key: inSetup(effect.key, setup) }, at);
    now = withKeyStates(now, next);
    transitions.push(...next);
  }
  return oneForEach(transitions);
}

function activations(
  keys: readonly KeyRecord[],
  { key: name, proven }: Extract<TakeoverEffect, { kind: "key-active" }>,
  at: number,
): KeyTransition[] {
  const { version } = name;
  const next = keys.find((key) => isNamed(key, name));
  if (next === undefined) return [];
  const of = keys.filter(({ purpose, setup }) => purpose === next.purpose && setup === next.setup);
  const becomes = (key: KeyRecord, state: KeyState, provenAt?: number): KeyTransition[] =>
    mayBecome(key.state, state) || (key.state === state && provenAt !== undefined)
      ? [{ write: { ...named(key), state, at, provenAt }, from: key.state }]
      : [];
  const former = of.filter((key) => key.version !== version && (key.state === "active" || key.state === "suspended"));
  return [...former.flatMap((key) => becomes(key, "deactivated")), ...becomes(next, "active", proven ? at : undefined)];
}

/** A key is written once in a commit: from where it came to where it ends. */
function oneForEach(transitions: readonly KeyTransition[]): KeyTransition[] {
  const merged = new Map<string, KeyTransition>();
  for (const { write, from } of transitions) {
    const name = `${write.place.setup}/${write.purpose}/${write.version}`;
    const before = merged.get(name);
    const provenAt = write.provenAt ?? before?.write.provenAt;
    merged.set(name, { write: { ...write, provenAt }, from: before?.from ?? from });
  }
  return [...merged.values()];
}

/** The keys after those transitions. */
export function withKeyStates(keys: readonly KeyRecord[], transitions: readonly KeyTransition[]): KeyRecord[] {
  return keys.map((key) => {
    const found = transitions.findLast(
      ({ write }) => write.purpose === key.purpose && write.version === key.version && write.place.setup === key.setup,
    );
    return found === undefined
      ? key
      : { ...key, state: found.write.state, provenAt: found.write.provenAt ?? key.provenAt };
  });
}

function named({ utility, island, systemTitle, setup, purpose, version }: KeyRecord) {
  return { kind: "set-key-state", place: { utility, island, systemTitle, setup }, purpose, version } as const;
}

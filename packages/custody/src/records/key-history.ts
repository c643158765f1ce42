import type { KeyState } from "@meterkeep/api/custodian";
import { mayBecome } from "../keys/key-transition.ts";
import { purposeName } from "../keys/purposes.ts";
import type { KeyRecord, MeterStanding, StateEntry } from "../store/records.ts";

/** One change of an entry `key-states-changed`. */
interface Change {
  readonly purpose: string;
  readonly setup: number;
  readonly version: number;
  readonly to: KeyState;
  /** Whether the meter has proven the key with it. */
  readonly proven?: boolean;
}

/** What an entry of a meter that came back says of the keys that it came with. */
interface Brought {
  readonly keys: readonly Omit<Change, "to" | "proven">[];
}

/** What the ledger comes to for one key. */
export interface ToldState {
  readonly state: KeyState;
  readonly isProven: boolean;
}

/** The standing of a meter and the states of its keys, in their order, as they follow from the ledger's entries. */
export function statesIn(
  keys: readonly KeyRecord[],
  history: readonly StateEntry[],
): { readonly standing: MeterStanding; readonly states: readonly ToldState[] } {
  let standing: MeterStanding = "in-service";
  let states = keys.map((key): ToldState => ({ state: firstState(key), isProven: false }));
  for (const { kind, body } of history)
    if (kind === "meter-departed") {
      standing = (body as { readonly how: MeterStanding }).how;
      states = states.map((told) => (mayBecome(told.state, "deactivated") ? { ...told, state: "deactivated" } : told));
    } else if (kind === "meter-readmitted") {
      standing = "in-service";
      for (const one of (body as Brought).keys)
        states = states.map((told, at) =>
          isOf(one, keys[at] as KeyRecord) ? { state: "active", isProven: false } : told,
        );
    } else {
      const { changes } = body as { readonly changes: readonly Change[] };
      for (const change of changes)
        states = states.map((told, at) => (isOf(change, keys[at] as KeyRecord) ? after(told, change) : told));
    }
  return { standing, states };
}

function after(told: ToldState, { to, proven }: Change): ToldState {
  return { state: to, isProven: told.isProven || proven === true };
}

/** The keys that a meter came back with last, by the ledger; undefined of one that never did. */
export function broughtLast(
  keys: readonly KeyRecord[],
  history: readonly StateEntry[],
): readonly KeyRecord[] | undefined {
  const last = history.findLast(({ kind }) => kind === "meter-readmitted");
  return last && keys.filter((key) => (last.body as Brought).keys.some((one) => isOf(one, key)));
}

/** Whether a key of a security setup came from elsewhere: with its meter, in its first version or, by the ledger, when it came back. */
export function cameFromElsewhere(key: KeyRecord, history: readonly StateEntry[]): boolean {
  const back = history.filter(({ kind }) => kind === "meter-readmitted");
  return key.version === 1 || back.some(({ body }) => (body as Brought).keys.some((one) => isOf(one, key)));
}

function isOf({ purpose, setup, version }: Omit<Change, "to" | "proven">, key: KeyRecord): boolean {
  return purpose === purposeName(key.purpose) && version === key.version && setup === key.setup;
}

/** How a key begins: what came from elsewhere is on its meter, what we make is not. */
function firstState({ origin }: KeyRecord): KeyState {
  return origin === "generated" ? "pre-activation" : "active";
}

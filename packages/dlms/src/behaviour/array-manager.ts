import { decode, encode } from "../codec/codec.ts";
import { ArrayManager } from "../cosem/classes/array-manager.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { AttributeReference } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import type { Data } from "../data/value.ts";
import type { ObjectTree } from "./object-tree.ts";

/** What serving an array manager needs of the meter. */
export interface ArrayManagerPorts<State> {
  /** The arrays it manages, by id. */
  readonly arrays: (
    state: State,
    context: ServeContext,
  ) => readonly { readonly arrayObjectId: number; readonly arrayObject: AttributeReference }[];
  readonly tree: (state: State) => ObjectTree<State>;
  /** Whether the client that asks may read, or write, the array itself: its own rights are observed. */
  readonly mayAccess: (
    array: AttributeReference,
    access: "read" | "write",
    state: State,
    context: ServeContext,
  ) => boolean;
}

type Edit = (entries: readonly Data[]) => readonly Data[] | undefined;

/** Serves class 123: arrays of other objects entry by entry, numbered from 1. */
export function serveArrayManager<State>(ports: ArrayManagerPorts<State>): ServedClass<State> {
  const referenceOf = (id: number, access: "read" | "write", state: State, context: ServeContext) => {
    const found = ports.arrays(state, context).find(({ arrayObjectId }) => arrayObjectId === id)?.arrayObject;
    return found !== undefined && ports.mayAccess(found, access, state, context) ? found : undefined;
  };
  const entriesOf = (id: number, state: State, context: ServeContext): readonly Data[] | undefined => {
    const reference = referenceOf(id, "read", state, context);
    const octets = reference === undefined ? undefined : ports.tree(state).read(reference);
    const value = octets === undefined ? undefined : decode(data, octets);
    return value?.type === "array" ? value.value : undefined;
  };
  const edit = (id: number, state: State, context: ServeContext, change: Edit): AccessRefusal | undefined => {
    const entries = entriesOf(id, state, context);
    const reference = referenceOf(id, "write", state, context);
    const changed = entries === undefined ? undefined : change(entries);
    if (reference === undefined || changed === undefined) return refuse("other-reason");
    const result = ports.tree(state).write(reference, encode(data, { type: "array", value: changed }));
    return result === "success" ? undefined : refuse(result);
  };
  return ArrayManager.serve<State>({
    get: { arrayObjectList: ports.arrays },
    call: {
      retrieveNumberOfEntries: (id, state, context) => entriesOf(id, state, context)?.length ?? refuse("other-reason"),
      retrieveEntries: ({ arrayObjectId, entries: { fromEntry, toEntry } }, state, context) => {
        const entries = entriesOf(arrayObjectId, state, context);
        return entries === undefined || !isRange(fromEntry, toEntry)
          ? refuse("other-reason")
          : entries.slice(fromEntry - 1, toEntry);
      },
      insertEntry: ({ arrayObjectId, entry: { entryIndex, entry } }, state, context) =>
        edit(arrayObjectId, state, context, (entries) => {
          if (entryIndex > entries.length) return undefined;
          return entryIndex === 0 ? [...entries, entry] : entries.toSpliced(entryIndex - 1, 0, entry);
        }),
      updateEntry: ({ arrayObjectId, entry: { entryIndex, entry } }, state, context) =>
        edit(arrayObjectId, state, context, (entries) =>
          entryIndex < 1 || entryIndex > entries.length ? undefined : entries.with(entryIndex - 1, entry),
        ),
      removeEntries: ({ arrayObjectId, entries: { fromEntry, toEntry } }, state, context) =>
        edit(arrayObjectId, state, context, (entries) =>
          isRange(fromEntry, toEntry) && fromEntry <= entries.length
            ? entries.toSpliced(fromEntry - 1, toEntry - fromEntry + 1)
            : undefined,
        ),
    },
  });
}

function isRange(from: number, to: number): boolean {
  return from >= 1 && from <= to;
}

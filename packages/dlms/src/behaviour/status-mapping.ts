import { StatusMapping } from "../cosem/classes/status-mapping.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { Data } from "../data/value.ts";

/** Which table says what the bits mean, and which entry of it is each bit's (Blue Book 4.3.9). */
export interface MappingTable {
  readonly referenceTableId: number;
  /** The entry of bit 0, the others following, or the entry of each bit. */
  readonly entries: number | readonly number[];
}

/** The entry of a bit of the status word, counted from 0; undefined for a bit that has none. */
export function entryOfBit({ entries }: MappingTable, bit: number): number | undefined {
  return typeof entries === "number" ? entries + bit : entries[bit];
}

/** Serves class 63: a status word with the table that says what it means. */
export function serveStatusMapping<State>(ports: {
  readonly statusWord: (state: State, context: ServeContext) => Data;
  readonly mapping: (state: State, context: ServeContext) => MappingTable;
}): ServedClass<State> {
  return StatusMapping.serve<State>({
    get: {
      statusWord: ports.statusWord,
      mappingTable: (state, context) => {
        const { referenceTableId, entries } = ports.mapping(state, context);
        return {
          referenceTableId,
          referenceTableMapping:
            typeof entries === "number" ? { kind: "firstEntry", value: entries } : { kind: "entries", value: entries },
        };
      },
    },
  });
}

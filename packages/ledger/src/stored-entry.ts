import { entryLeaf, type LedgerEntry, MOST_BODY_OCTETS, type UnhashedEntry } from "./entry.ts";

/** An entry, its leaf made of what it says where that is not said otherwise; and what its writer's key made over the leaf that it had. */
export interface StoredEntry {
  readonly entry: LedgerEntry;
  readonly mac: Uint8Array | undefined;
}

/**
 * A text of an entry as it is read. One that this writer has written is shorter than that; of whatever somebody else has put there,
 * half a gigabyte perhaps, no more is taken into memory: what is cut has another leaf, and counts nowhere.
 */
const cut = (column: string): string => `left(${column}, ${MOST_BODY_OCTETS + 1})`;
const TEXTS = ["kind", "principal", "utility", "island", "meter", "body"] as const;

/** What is read of the table `ledger`, in a statement of its own. */
export const ENTRY_COLUMNS: string = `sequence, at_ms, ${TEXTS.map((text) => `${cut(text)} as ${text}`).join(", ")}, leaf, mac`;

/** The same as a value of JSON, in a statement that reads other things with it: without the leaf, which follows. */
export const ENTRY_JSON: string = `json_build_array(sequence, at_ms, ${TEXTS.map(cut).join(", ")}, encode(mac, 'hex'))`;

/** What `ENTRY_COLUMNS` come to. */
export interface EntryRow {
  readonly sequence: string;
  readonly at_ms: string;
  readonly kind: string;
  readonly principal: string;
  readonly utility: string;
  readonly island: string;
  readonly meter: string | null;
  readonly body: string;
  readonly leaf: Uint8Array;
  readonly mac: Uint8Array | null;
}

/** What `ENTRY_JSON` comes to. */
export type EntryJson = readonly [
  sequence: number,
  at: number,
  kind: string,
  principal: string,
  utility: string,
  island: string,
  meter: string | null,
  body: string,
  mac: string | null,
];

export function storedEntryOf(row: EntryRow): StoredEntry {
  const entry = unhashedOf(row);
  return { entry: { ...entry, leaf: entryLeaf(entry) }, mac: macOf(row) };
}

/** The same with the leaf that is stored: for whoever holds the one against the other. */
export function entryAsStored(row: EntryRow): StoredEntry {
  return { entry: entryOfRow(row), mac: macOf(row) };
}

/** The entry of a row with the leaf that is stored: for whoever shows or proves it. */
export function entryOfRow(row: EntryRow): LedgerEntry {
  return { ...unhashedOf(row), leaf: new Uint8Array(row.leaf) };
}

export function storedEntryOfJson(json: EntryJson): StoredEntry {
  const [sequence, at, kind, principal, utility, island, meter, body, mac] = json;
  const entry = { sequence, at, kind, principal, utility, island, meter: meter ?? undefined, body };
  return {
    entry: { ...entry, leaf: entryLeaf(entry) },
    mac: mac === null ? undefined : new Uint8Array(Buffer.from(mac, "hex")),
  };
}

function macOf({ mac }: EntryRow): Uint8Array | undefined {
  return mac === null ? undefined : new Uint8Array(mac);
}

function unhashedOf(row: EntryRow): UnhashedEntry {
  return {
    sequence: Number(row.sequence),
    at: Number(row.at_ms),
    kind: row.kind,
    principal: row.principal,
    utility: row.utility,
    island: row.island,
    meter: row.meter ?? undefined,
    body: row.body,
  };
}

import { LedgerError } from "./errors.ts";
import { leafHash } from "./tree/node-hash.ts";

/** Octets of a SHA-256. */
export const HASH_BYTES = 32;

/** What a caller asks to be written; its place in the ledger is the ledger's. */
export interface LedgerDraft {
  /** When it happened, milliseconds since 1970 UTC. */
  readonly at: number;
  /** What happened, for instance `session-opened`: lower-case words joined by hyphens. */
  readonly kind: string;
  /** Who asked: the proven name of a channel, a person or a process, never a name somebody said. */
  readonly principal: string;
  /** Tenant and island; `*` for what concerns the whole installation. */
  readonly utility: string;
  readonly island: string;
  /** System title as upper-case hex, where one meter is concerned. */
  readonly meter?: string;
  /** What a reader needs to judge it, as JSON values. No secret ever goes in here. */
  readonly body: unknown;
}

/** An entry, as stored. */
export interface LedgerEntry {
  /** From 1, without gaps: the entry is leaf `sequence - 1` of the tree. */
  readonly sequence: number;
  readonly at: number;
  readonly kind: string;
  readonly principal: string;
  readonly utility: string;
  readonly island: string;
  readonly meter: string | undefined;
  /** JSON text exactly as hashed. */
  readonly body: string;
  /** Leaf hash of the entry's line. */
  readonly leaf: Uint8Array;
}

/** What an entry says: everything but its hash. */
export type UnhashedEntry = Omit<LedgerEntry, "leaf">;

/** Of the longest body. */
export const MOST_BODY_OCTETS: number = 64 * 1024;

/**
 * The one line of JSON that an entry is, in the tree and in exports: its members in this order, its body as it was
 * written. No two entries have the same line, since every text before the body ends where its quotation mark is.
 */
export function entryLine({ sequence, at, kind, principal, utility, island, meter, body }: UnhashedEntry): string {
  const ofMeter = meter === undefined ? "" : `"meter":${JSON.stringify(meter)},`;
  return `{"sequence":${sequence},"at":${at},"kind":${JSON.stringify(kind)},"principal":${JSON.stringify(principal)},"utility":${JSON.stringify(utility)},"island":${JSON.stringify(island)},${ofMeter}"body":${body}}`;
}

/** Leaf hash of an entry: SHA-256 over 0x00 and its line in UTF-8. */
export function entryLeaf(entry: UnhashedEntry): Uint8Array {
  return leafOfLine(entryLine(entry));
}

/** Leaf hash of an entry's line. */
export function leafOfLine(line: string): Uint8Array {
  return leafHash(Buffer.from(line, "utf8"));
}

/** Makes the entry that a draft becomes in its place. */
export function entryOf(sequence: number, { at, kind, principal, utility, island, meter, body }: LedgerDraft) {
  const entry = { sequence, at, kind, principal, utility, island, meter, body: bodyText(body) };
  return { ...entry, leaf: entryLeaf(entry) } satisfies LedgerEntry;
}

/** Refuses a draft that cannot be written, before it can spoil a group. @throws LedgerError `ledger-entry-invalid`. */
export function checkDraft(draft: LedgerDraft): void {
  const { at, kind, principal, utility, island, meter = "", body } = draft;
  if (Buffer.byteLength(bodyText(body)) > MOST_BODY_OCTETS)
    throw new LedgerError("ledger-entry-invalid", `the body of ${kind} is over ${MOST_BODY_OCTETS} octets`);
  if (!Number.isSafeInteger(at) || at < 0)
    throw new LedgerError("ledger-entry-invalid", `${at} is not a time in milliseconds`);
  if (!/^[a-z][a-z0-9-]*$/.test(kind))
    throw new LedgerError("ledger-entry-invalid", `"${kind}" is not a kind: lower-case words joined by hyphens`);
  // What a database would store otherwise than it was hashed.
  for (const text of [principal, utility, island, meter])
    if (!text.isWellFormed() || text.includes("\0"))
      throw new LedgerError("ledger-entry-invalid", `${kind}: a name in it is not plain text`);
}

function bodyText(body: unknown): string {
  return JSON.stringify(body ?? null);
}

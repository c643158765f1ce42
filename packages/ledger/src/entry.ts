import { createHash } from "node:crypto";
import { LedgerError } from "./errors.ts";

/** Octets of a SHA-256. */
export const HASH_BYTES = 32;

/** What a caller asks to be written; sequence, hash and predecessor are the ledger's. */
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

/** One link of the chain, as stored. */
export interface LedgerEntry {
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly at: number;
  readonly kind: string;
  readonly principal: string;
  readonly utility: string;
  readonly island: string;
  readonly meter: string | undefined;
  /** JSON text exactly as hashed. */
  readonly body: string;
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
}

/** The last link: what the next one is chained to. */
export interface LedgerHead {
  /** 0 for an empty ledger. */
  readonly sequence: number;
  readonly hash: Uint8Array;
}

/** The head of a ledger that has no entry: 32 zero octets stand for the missing predecessor. */
export const EMPTY_LEDGER: LedgerHead = { sequence: 0, hash: new Uint8Array(HASH_BYTES) };

const DOMAIN = "meterkeep-ledger-1";
const MAX_BODY_OCTETS = 64 * 1024;

/** Chains drafts to `head`, in their order. */
export function chain(head: LedgerHead, drafts: readonly LedgerDraft[]): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  let last = head;
  for (const draft of drafts) {
    const entry = link(last, draft);
    entries.push(entry);
    last = entry;
  }
  return entries;
}

function link(head: LedgerHead, draft: LedgerDraft): LedgerEntry {
  const unhashed = {
    sequence: head.sequence + 1,
    at: draft.at,
    kind: draft.kind,
    principal: draft.principal,
    utility: draft.utility,
    island: draft.island,
    meter: draft.meter,
    body: bodyText(draft),
    previousHash: head.hash,
  };
  return { ...unhashed, hash: entryHash(unhashed) };
}

/** Refuses a draft that cannot be written, before it can spoil a group. @throws LedgerError `ledger-entry-invalid`. */
export function checkDraft(draft: LedgerDraft): void {
  if (Buffer.byteLength(bodyText(draft)) > MAX_BODY_OCTETS)
    throw new LedgerError("ledger-entry-invalid", `the body of ${draft.kind} is over ${MAX_BODY_OCTETS} octets`);
  if (!Number.isSafeInteger(draft.at) || draft.at < 0)
    throw new LedgerError("ledger-entry-invalid", `${draft.at} is not a time in milliseconds`);
  if (!/^[a-z][a-z0-9-]*$/.test(draft.kind))
    throw new LedgerError("ledger-entry-invalid", `"${draft.kind}" is not a kind: lower-case words joined by hyphens`);
}

function bodyText(draft: LedgerDraft): string {
  return JSON.stringify(draft.body ?? null);
}

/**
 * SHA-256 over the canonical form of an entry: the domain, then each field with its length before it, so that no two
 * entries have the same octets: sequence and time as 8 octets, texts in UTF-8, an absent meter as no octets.
 */
export function entryHash(entry: Omit<LedgerEntry, "hash">): Uint8Array {
  const hash = createHash("sha256");
  hash.update(field(Buffer.from(DOMAIN)));
  hash.update(field(entry.previousHash));
  hash.update(field(number64(entry.sequence)));
  hash.update(field(number64(entry.at)));
  for (const text of [entry.kind, entry.principal, entry.utility, entry.island, entry.meter ?? "", entry.body])
    hash.update(field(Buffer.from(text, "utf8")));
  return new Uint8Array(hash.digest());
}

function field(octets: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(4 + octets.length);
  framed.writeUInt32BE(octets.length, 0);
  framed.set(octets, 4);
  return framed;
}

function number64(value: number): Buffer {
  const octets = Buffer.allocUnsafe(8);
  octets.writeBigUInt64BE(BigInt(value), 0);
  return octets;
}

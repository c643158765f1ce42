/**
 * Checks entries of a ledger in the browser: each leaf hash is computed again from what is shown, and followed up to the
 * root of the tree. Written from docs/formats/ledger.md and RFC 9162, not from the ledger's code.
 */
import type { LedgerRow } from "@meterkeep/api";

type Digest = Pick<SubtleCrypto, "digest">;

export interface LeafCheck {
  readonly checked: number;
  /** Sequences whose leaf does not fit, or that do not follow the one before. */
  readonly broken: readonly number[];
}

/** Checks `entries`, in any order, against their leaf hashes, and for gaps unless some were left out on purpose. */
export async function checkLeaves(
  entries: readonly LedgerRow[],
  { gaps = false }: { readonly gaps?: boolean } = {},
  subtle: Digest = crypto.subtle,
): Promise<LeafCheck> {
  const sorted = entries.toSorted((a, b) => a.sequence - b.sequence);
  const broken: number[] = [];
  let before: LedgerRow | undefined;
  for (const entry of sorted) {
    const follows = gaps || before === undefined || before.sequence + 1 === entry.sequence;
    if (!follows || hexOf(await leafOf(entry, subtle)) !== entry.leaf) broken.push(entry.sequence);
    before = entry;
  }
  return { checked: sorted.length, broken };
}

/** A tree's head, and the hashes that lead from an entry to its root; hex. */
export interface InclusionProof {
  readonly size: number;
  readonly root: string;
  readonly hashes: readonly string[];
}

/** Whether an entry, as it is shown, is in the tree (RFC 9162, 2.1.3.2). */
export async function isIncluded(
  entry: LedgerRow,
  { size, root, hashes }: InclusionProof,
  subtle: Digest = crypto.subtle,
): Promise<boolean> {
  let [place, last] = [entry.sequence - 1, size - 1];
  if (place > last) return false;
  let hash = await leafOf(entry, subtle);
  for (const text of hashes) {
    if (last === 0) return false;
    const sibling = octetsOf(text);
    const isRight = place % 2 === 1 || place === last;
    hash = await sha256(isRight ? joined(1, sibling, hash) : joined(1, hash, sibling), subtle);
    if (isRight) while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && hexOf(hash) === root;
}

/** The line of JSON that an entry is: its members in this order, the body as it was written. */
export function lineOf(entry: LedgerRow): string {
  const head = {
    sequence: entry.sequence,
    at: Date.parse(entry.at),
    kind: entry.kind,
    principal: entry.principal,
    utility: entry.utility,
    island: entry.island,
    ...(entry.meter === undefined ? {} : { meter: entry.meter }),
  };
  return `${JSON.stringify(head).slice(0, -1)},"body":${entry.body}}`;
}

function leafOf(entry: LedgerRow, subtle: Digest): Promise<Uint8Array> {
  return sha256(joined(0, new TextEncoder().encode(lineOf(entry))), subtle);
}

async function sha256(octets: Uint8Array<ArrayBuffer>, subtle: Digest): Promise<Uint8Array> {
  return new Uint8Array(await subtle.digest("SHA-256", octets));
}

function joined(first: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(1 + parts.reduce((sum, { length }) => sum + length, 0));
  whole[0] = first;
  let at = 1;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

function hexOf(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

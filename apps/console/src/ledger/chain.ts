/**
 * Checks a stretch of a ledger in the browser: each hash is computed again from what is shown, each entry names the one before.
 * Written from the description of the ledger's canonical form, not from its code.
 */
import type { LedgerRow } from "@meterkeep/api";

export interface ChainCheck {
  readonly checked: number;
  /** Sequences whose hash or predecessor does not fit. */
  readonly broken: readonly number[];
}

/** Checks `entries`, in any order, against each other and against their hashes. */
export async function checkChain(
  entries: readonly LedgerRow[],
  subtle: Pick<SubtleCrypto, "digest"> = crypto.subtle,
): Promise<ChainCheck> {
  const sorted = entries.toSorted((a, b) => a.sequence - b.sequence);
  const broken: number[] = [];
  let before: LedgerRow | undefined;
  for (const entry of sorted) {
    const follows =
      before === undefined || (before.sequence + 1 === entry.sequence && before.hash === entry.previousHash);
    if (!follows || !(await hashFits(entry, subtle))) broken.push(entry.sequence);
    before = entry;
  }
  return { checked: sorted.length, broken };
}

async function hashFits(entry: LedgerRow, subtle: Pick<SubtleCrypto, "digest">): Promise<boolean> {
  return hexOf(new Uint8Array(await subtle.digest("SHA-256", canonical(entry)))) === entry.hash;
}

/** Domain, predecessor, sequence, time, then the texts; each with its length in four octets before it. */
function canonical(entry: LedgerRow): Uint8Array<ArrayBuffer> {
  const text = (value: string) => new TextEncoder().encode(value);
  const fields = [
    text("meterkeep-ledger-1"),
    octetsOf(entry.previousHash),
    number64(entry.sequence),
    number64(Date.parse(entry.at)),
    ...[entry.kind, entry.principal, entry.utility, entry.island, entry.meter ?? "", entry.body].map(text),
  ];
  const whole = new Uint8Array(fields.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(whole.buffer);
  let at = 0;
  for (const field of fields) {
    view.setUint32(at, field.length);
    whole.set(field, at + 4);
    at += 4 + field.length;
  }
  return whole;
}

function number64(value: number): Uint8Array {
  const octets = new Uint8Array(8);
  new DataView(octets.buffer).setBigUint64(0, BigInt(value));
  return octets;
}

function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

function hexOf(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

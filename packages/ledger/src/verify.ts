import { EMPTY_LEDGER, entryHash, type LedgerEntry, type LedgerHead } from "./entry.ts";

/** What is wrong with the first entry that is wrong. */
export interface ChainFault {
  readonly sequence: number;
  readonly problem: "gap" | "predecessor" | "hash" | "head";
  readonly message: string;
}

/** The outcome of a verification: how far the chain holds, and the first fault if there is one. */
export interface ChainReport {
  readonly verified: number;
  readonly head: LedgerHead;
  readonly fault: ChainFault | undefined;
}

/**
 * Recomputes the chain offline, from an export alone.
 *
 * `from` is the head before the first entry given; `expectedHead` is a head remembered elsewhere: without one, entries
 * cut off at the end cannot be noticed, since what is left is a valid chain.
 */
export async function verifyChain(
  entries: Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>,
  options: { readonly from?: LedgerHead; readonly expectedHead?: LedgerHead } = {},
): Promise<ChainReport> {
  let head = options.from ?? EMPTY_LEDGER;
  let verified = 0;
  for await (const entry of entries) {
    const fault = faultOf(head, entry);
    if (fault !== undefined) return { verified, head, fault };
    head = { sequence: entry.sequence, hash: entry.hash };
    verified += 1;
    if (options.expectedHead?.sequence === head.sequence && !same(options.expectedHead.hash, head.hash))
      return {
        verified,
        head,
        fault: headFault(head.sequence, "another entry stood here when the head was remembered"),
      };
  }
  if (options.expectedHead !== undefined && options.expectedHead.sequence > head.sequence)
    return {
      verified,
      head,
      fault: headFault(head.sequence, `entries up to ${options.expectedHead.sequence} were there: the end is cut off`),
    };
  return { verified, head, fault: undefined };
}

function faultOf(head: LedgerHead, entry: LedgerEntry): ChainFault | undefined {
  const { sequence } = entry;
  if (sequence !== head.sequence + 1)
    return { sequence, problem: "gap", message: `entry ${sequence} follows entry ${head.sequence}` };
  if (!same(entry.previousHash, head.hash))
    return { sequence, problem: "predecessor", message: `entry ${sequence} is chained to another predecessor` };
  if (!same(entryHash(entry), entry.hash))
    return { sequence, problem: "hash", message: `entry ${sequence} is not what was hashed` };
  return undefined;
}

function headFault(sequence: number, message: string): ChainFault {
  return { sequence, problem: "head", message };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}

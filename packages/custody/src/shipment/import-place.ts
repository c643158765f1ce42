import type { LedgerDraft } from "@meterkeep/ledger";

/** For whom, and on whose behalf. */
export interface ImportPlace {
  readonly utility: string;
  readonly island: string;
  /** The proven name of the caller. */
  readonly principal: string;
}

/** An entry about what is taken in, in its caller's name. */
export function entry(
  at: number,
  kind: string,
  { utility, island, principal }: ImportPlace,
  body: unknown,
): LedgerDraft {
  return { at, kind, principal, utility, island, body };
}

import type { LedgerDraft } from "@meterkeep/ledger";
import type { Caller } from "../calls/caller.ts";
import type { SetupPlace } from "../store/records.ts";

/** A line of the ledger about a session with a meter. */
export function sessionEntry(kind: string, caller: Caller, place: SetupPlace, at: number, body: unknown): LedgerDraft {
  const { utility, island, systemTitle } = place;
  return { at, kind, principal: caller.name, utility, island, meter: systemTitle, body };
}

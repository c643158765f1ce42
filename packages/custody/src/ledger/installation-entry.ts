import type { LedgerDraft } from "@meterkeep/ledger";

/** An entry that is about the whole installation: of no utility, island or meter. `at` is milliseconds since 1970 UTC. */
export function installationEntry(at: number, kind: string, principal: string, body: unknown): LedgerDraft {
  return { at, kind, principal, utility: "*", island: "*", body };
}

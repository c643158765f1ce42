import type { IslandCut, JournaledRevocation, RevocationPlan } from "@meterkeep/pki";
import { type AuthenticJournal, openAuthenticJournal } from "../escrow/authentic-journal.ts";
import type { Vault } from "../vault/vault.ts";

/** Its name is from when revocations were all that it held. */
const FILE = "revocations.jsonl";

/** What nobody may take back by changing the database: a line each. */
export type TrustLine =
  | (JournaledRevocation & { readonly kind?: undefined })
  /** An authority issues nothing from here on: somebody is revoking it. */
  | { readonly kind: "held"; readonly at: number; readonly plan: RevocationPlan }
  | {
      readonly kind: "cut";
      readonly at: number;
      readonly plan: string;
      readonly places: readonly Pick<IslandCut, "utility" | "island">[];
    }
  | { readonly kind: "lifted"; readonly at: number; readonly plan: string }
  /** A table of assignments was signed: its octets, base64, so that it outlives its row. Lines of before 2026-11 lack them. */
  | { readonly kind: "table"; readonly at: number; readonly number: number; readonly octets?: string }
  /** A plan was taken back before it began: its authority issues again. */
  | { readonly kind: "withdrawn"; readonly at: number; readonly plan: string }
  /** Authorities have their MACs from here on: one without is somebody else's. */
  | { readonly kind: "authorities-bound"; readonly at: number }
  /** A one-time password of enrolment was used up: its hash, hex. */
  | { readonly kind: "password-used"; readonly at: number; readonly hash: string }
  /** Nothing was issued for it: it is good again. */
  | { readonly kind: "password-returned"; readonly at: number; readonly hash: string };

/** What may not be taken back, as it lies beside the database: a database from a backup is told all of it again. */
export type TrustJournal = AuthenticJournal<TrustLine>;

/** A file in the directory of the escrow. */
export function openTrustJournal(directory: string, vault: Vault): Promise<TrustJournal> {
  return openAuthenticJournal({ directory, file: FILE, domain: "meterkeep-revocation-1" }, vault);
}

/** Of what a journal holds, the revocations. */
export async function* revocationsOf(lines: AsyncIterable<TrustLine>): AsyncGenerator<JournaledRevocation> {
  for await (const line of lines) if (line.kind === undefined) yield line;
}

import type { IslandCut, JournaledRevocation, PlanState, RevocationPlan, RevocationStage } from "@meterkeep/pki";
import { type AuthenticJournal, openAuthenticJournal } from "../escrow/authentic-journal.ts";
import type { Vault } from "../vault/vault.ts";

/** Revocations are what most of it is. */
const FILE = "revocations.jsonl";

/** What nobody may take back by changing the database: a line each. */
export type TrustLine =
  | (JournaledRevocation & { readonly kind?: undefined })
  /** A revocation was planned: of an authority, which issues nothing from here on, or of one certificate. */
  | { readonly kind: "held"; readonly at: number; readonly plan: RevocationPlan }
  | {
      readonly kind: "cut";
      readonly at: number;
      readonly plan: string;
      readonly places: readonly Pick<IslandCut, "utility" | "island">[];
    }
  | { readonly kind: "lifted"; readonly at: number; readonly plan: string }
  /** A table of assignments was signed: its octets, base64, so that it outlives its row. */
  | { readonly kind: "table"; readonly at: number; readonly number: number; readonly octets: string }
  /** Where a plan stands from here on. */
  | {
      readonly kind: "moved";
      readonly at: number;
      readonly plan: string;
      readonly stage: RevocationStage;
      readonly state: PlanState;
      readonly finished: number;
    }
  /** Certificates whose octets do not say what they are for were ordered: what each of them is for. */
  | {
      readonly kind: "certified";
      readonly at: number;
      readonly authority: string;
      readonly profile: string;
      readonly serials: readonly string[];
      /** What each says of whom it is for, as `nameText` writes it; the ledger, by which a lost line is written again, does not say it. */
      readonly subjects?: readonly string[];
    }
  /** A list of an authority in a drawer was adopted: it alone is served until a newer one is. */
  | {
      readonly kind: "listed";
      readonly at: number;
      readonly authority: string;
      readonly shard: number;
      /** Of the list, decimal; `since` for a delta. */
      readonly number: string;
      readonly since?: string;
      readonly thisUpdate: number;
      readonly nextUpdate: number;
      /** Base64. */
      readonly octets: string;
    }
  /** Keys that somebody has lost: their short identifiers. */
  | { readonly kind: "keys-lost"; readonly at: number; readonly keys: readonly string[] }
  /** Meters of one place that a revocation is to free. */
  | {
      readonly kind: "to-free";
      readonly at: number;
      readonly plan: string;
      readonly utility: string;
      readonly island: string;
      readonly meters: readonly string[];
    }
  /**
   * All that the ledger has up to this entry has its line before this one, but for what was on its way. Holds while lines have
   * gone from the journal no more often than `breaks` says.
   */
  | { readonly kind: "followed"; readonly at: number; readonly sequence: number; readonly breaks: number }
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

import type { Direction } from "@meterkeep/guard";
import type { LedgerEntry } from "@meterkeep/ledger";
import { DAY_MILLISECONDS } from "../../day.ts";
import type { SetupPlace } from "../../store/records.ts";

/** The one document that says who may approve and what is held back, as stored. */
export interface StoredAuthority {
  readonly revision: number;
  /** Canonical JSON. */
  readonly document: string;
  readonly mac: Uint8Array;
}

/** What the MAC of the document begins with, wherever it lies. */
export const DOCUMENT_DOMAIN = "meterkeep-record-1/authority-document";

/** What the ledger remembers of the document. */
export interface AuthorityMark {
  readonly revision: number;
  /** Hex. */
  readonly mac: string;
}

/** The same with the entry that it is in. */
export interface MarkedAuthority extends AuthorityMark {
  readonly sequence: number;
  readonly at: number;
}

/** The mark of the document in an entry. */
export function authorityMarkOf({
  sequence,
  at,
  body,
}: Pick<LedgerEntry, "sequence" | "at" | "body">): MarkedAuthority {
  const { revision, mac } = JSON.parse(body) as AuthorityMark;
  return { revision, mac, sequence, at };
}

/** A manifest as kept, by the hash of its octets, which lie beside it in parts. */
export interface StoredManifest {
  readonly utility: string;
  readonly island: string;
  /** SHA-384, lower-case hex. */
  readonly hash: string;
  /** Its first line. */
  readonly header: string;
  readonly submittedAt: number;
  readonly submittedBy: string;
}

/** Some of a manifest's octets, deflated by themselves. */
export interface ManifestPart {
  readonly utility: string;
  readonly island: string;
  readonly hash: string;
  /** From 0. */
  readonly part: number;
  readonly octets: Uint8Array;
}

/** A change request as kept, by the hash of its document. */
export interface StoredChange {
  readonly hash: string;
  readonly kind: string;
  /** Canonical JSON: the octets that were hashed. */
  readonly document: string;
  readonly submittedAt: number;
  readonly submittedBy: string;
  readonly executedAt: number | undefined;
}

/** An approval as it came. */
export interface StoredApproval {
  readonly hash: string;
  readonly approver: string;
  /** Canonical JSON of statement and proof. */
  readonly approval: string;
  readonly receivedAt: number;
}

/** What the meter has shown of a sealed APDU: it did it, it refused it, or it took a later one and can never take this. */
export const SEAL_OUTCOMES = ["executed", "refused", "superseded"] as const;
export type SealOutcome = (typeof SEAL_OUTCOMES)[number];

/** One critical APDU that was sealed. */
export interface CriticalSeal extends SetupPlace {
  /** Of its token, hex. */
  readonly nonce: string;
  readonly manifest: string;
  readonly keyVersion: number;
  readonly counter: number;
  /** Signed, under a key made for it alone; else under the unicast key. */
  readonly isSigned: boolean;
  readonly act: number;
  readonly once: boolean;
  readonly direction: Direction;
  readonly loadW: number;
  readonly sealedAt: number;
  readonly sealedLived: number;
}

/** A seal with what became of it. */
export interface SettledSeal extends CriticalSeal {
  readonly outcome: SealOutcome | undefined;
  readonly settledAt: number | undefined;
  readonly settledLived: number | undefined;
}

/** The same as stored, bound to what it says; none where somebody took that off. */
export interface StoredSeal extends SettledSeal {
  readonly mac: Uint8Array | undefined;
}

/** How many that take off the same, load or injection, may count: in time lived, the one included that is sealed. */
export interface OffCaps {
  /** In 24 hours. */
  readonly offPerDay: number;
  /** In 30 days. */
  readonly offPerMonth: number;
  readonly offPerTenMinutes: number;
}

/** What must hold in the very transaction that records a seal. */
export interface SealCaps extends OffCaps {
  /** The same shares of its utility alone: what is little for all of them together may be all of a small one. */
  readonly ofUtility: OffCaps;
  /** The meter was not switched so recently, in lived milliseconds, nor so often in 24 hours. */
  readonly toggleMilliseconds: number;
  readonly togglesPerDay: number;
}

/** How many seals that take off the same, load or injection, count at a moment. */
export interface OffCounts {
  readonly day: number;
  readonly month: number;
  readonly tenMinutes: number;
}

/** Durable changes of the authority; each is one of `Write`. */
export type AuthorityWrite =
  | { readonly kind: "put-authority"; readonly authority: StoredAuthority }
  /** In the place of whatever is there. */
  | { readonly kind: "put-authority-right"; readonly authority: StoredAuthority }
  /** Before the manifest itself; one that is there stays. */
  | { readonly kind: "add-manifest-part"; readonly part: ManifestPart }
  | { readonly kind: "add-manifest"; readonly manifest: StoredManifest }
  | { readonly kind: "add-change"; readonly change: StoredChange }
  /** Once. */
  | { readonly kind: "execute-change"; readonly hash: string; readonly at: number }
  | { readonly kind: "add-approval"; readonly approval: StoredApproval }
  | {
      readonly kind: "seal-critical";
      readonly seal: CriticalSeal;
      readonly mac: Uint8Array;
      readonly caps: SealCaps | undefined;
    }
  /** Settles those that are not settled yet. */
  | { readonly kind: "settle-seals"; readonly seals: readonly StoredSeal[] };

/** What the authority reads. */
export interface AuthorityRecords {
  /** The document, and what the ledger says of it. */
  document(): Promise<{ readonly stored: StoredAuthority | undefined; readonly mark: MarkedAuthority | undefined }>;
  manifest(hash: string): Promise<StoredManifest | undefined>;
  /** The octets of a part of a manifest, deflated; undefined after the last one. */
  manifestPart(hash: string, part: number): Promise<Uint8Array | undefined>;
  /** Newest first. */
  manifests(limit: number): Promise<readonly StoredManifest[]>;
  /** How many manifests of somebody's, submitted at that time or later, nobody has approved. */
  unapprovedManifests(submittedBy: string, since: number): Promise<number>;
  change(hash: string): Promise<StoredChange | undefined>;
  /** Whether the ledger has an entry that the change of that hash was executed. */
  wasExecuted(hash: string): Promise<boolean>;
  /** Newest first. */
  changes(limit: number): Promise<readonly StoredChange[]>;
  approvals(hash: string): Promise<readonly StoredApproval[]>;
  /** What has not been settled, of a setup or of all. */
  openSeals(of?: SetupPlace): Promise<readonly CriticalSeal[]>;
  /**
   * What counts against caps, or could: not settled, or settled within 30 days before the latest time lived. With it the nonces of
   * some of those that the ledger has entries of and that are not kept, where there are such.
   */
  countingSeals(): Promise<{ readonly seals: readonly StoredSeal[]; readonly lost: readonly string[] }>;
  /** How many of a manifest were sealed, by what became of them. */
  progress(hash: string): Promise<Readonly<Record<SealOutcome | "open", number>>>;
  /** The latest time lived that any seal has. */
  lived(): Promise<number>;
}

/** Windows of the caps besides a day, in milliseconds lived. */
export const TEN_MINUTES_MILLISECONDS = 600_000;
export const MONTH_MILLISECONDS = 30 * DAY_MILLISECONDS;

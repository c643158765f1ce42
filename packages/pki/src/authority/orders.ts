import type { AssignmentIndex } from "../assignment/table.ts";
import type { CertificateProfile } from "../profile/profile.ts";
import type { Registry } from "../registry/registry.ts";
import type { AuthorityKey } from "../x509/signature.ts";
import type { IssueOrder } from "./issue.ts";
import type { LedgeredOrders } from "./ledgered-orders.ts";

/** Something for the ledger, said before it is done. */
export interface AuthorityEntry {
  readonly at: number;
  readonly kind:
    | "authority-made"
    | "certificate-ordered"
    | "certificates-revoked"
    | "requester-limited"
    | "assignment-violated";
  readonly principal: string;
  readonly utility: string;
  readonly island: string;
  readonly meter?: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What authorities work with. */
export interface AuthorityDependencies {
  readonly registry: Registry;
  /** Who signs with an authority's key, by its name: the vault, or a token. @throws PkiError `authority-offline` */
  readonly signerOf: (keyName: string) => Promise<AuthorityKey>;
  /** Writes to the ledger, durably and all or nothing; what it refuses does not happen. */
  readonly record: (entries: readonly AuthorityEntry[]) => Promise<void>;
  /** What was ever ordered, by the ledger: what a row says of that is not asked. */
  readonly orders: Pick<LedgeredOrders, "ofSerials" | "countSince">;
  /** Keys that somebody has lost: no certificate is issued for one again, whatever became of the row of the former. */
  readonly lostKeys?: LostKeys;
  /** Hears of what is revoked from now on: answers that called it good are given no more. */
  readonly onRevoked?: (authority: string, serials: readonly string[]) => void;
  readonly random: (count: number) => Uint8Array;
  readonly now: () => number;
  /** Certificates that a requester may order a day; 1 000 unless said. A production line is given a number of its own. */
  readonly limitOf?: (requester: string) => number;
  /** The newest table of the scheme. Without one nothing is checked; with one, every device. */
  readonly assignments?: () => Promise<AssignmentIndex | undefined>;
  /** Why one of these authorities issues nothing now, where it does not: somebody is revoking it. */
  readonly heldBy?: (authorities: readonly string[]) => Promise<string | undefined>;
  /** Where a shard of an authority's lists lies, for certificates whose profile names it. */
  readonly addressOf?: (authority: string, shard: number) => string;
}

/** Identifiers of keys that are in other hands than they should be. */
export interface LostKeys {
  add(keys: readonly string[]): Promise<void>;
  has(key: string): boolean;
}

/** Revocations as they are kept beside the database. */
export interface JournaledRevocation {
  readonly at: number;
  readonly authority: string;
  readonly reason: string;
  readonly serials: readonly string[];
}

/** An order for a certificate, by whoever was found to be entitled to it. */
export interface CertificateOrder extends Omit<IssueOrder, "serial" | "notBefore" | "profile" | "distributionPoints"> {
  readonly profile: CertificateProfile;
  /** The authority that is to issue it, by its identifier. */
  readonly authority: string;
  /** The proven name of who asks. */
  readonly requester: string;
  readonly notBefore?: Date;
}

/** An authority to be made: its key exists already, under `keyName`. */
export interface AuthorityOrder {
  readonly utility: string;
  readonly island: string;
  readonly name: string;
  readonly profile: CertificateProfile;
  /** The authority above; none for a root. */
  readonly parent?: string;
  readonly keyName: string;
  readonly requester: string;
  readonly policies?: readonly string[];
}

/** An authority whose certificate was made elsewhere: a root, or one that an offline root has signed. */
export interface AdoptedAuthority {
  readonly utility: string;
  readonly island: string;
  readonly name: string;
  readonly profile: CertificateProfile;
  readonly parent?: string;
  /** A key that is here, or `offline:` and anything for one that is not. */
  readonly keyName: string;
  readonly requester: string;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** What the name of a key that is not here begins with. */
export const OFFLINE = "offline:";

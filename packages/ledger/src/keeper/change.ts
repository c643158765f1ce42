import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { LedgerError } from "../errors.ts";
import type { TreeHead } from "../tree/verify-proofs.ts";

/** Something that a ledger does on the word of two people only. It is good for exactly one state of the database. */
export interface LedgerChange {
  /** `resume`: go on although a witness has seen more; `witnesses`: do without the witnesses named. */
  readonly kind: "resume" | "witnesses";
  readonly log: string;
  /** The database as it is. */
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** For `resume`: the most that a witness has seen. */
  readonly seen?: number;
  /** For `witnesses`: which are given up. */
  readonly witnesses?: readonly string[];
  /** Why, in words for the ledger. */
  readonly reason: string;
}

/** A change with the approvals of people, each over the text of the change. */
export interface ApprovedChange {
  /** The change as JSON text, exactly as it was approved. */
  readonly change: string;
  readonly approvals: readonly { readonly name: string; readonly signature: string }[];
}

/** Who may approve, by a public key: P-384, Ed25519 or ML-DSA-65, SPKI in PEM. */
export interface Approver {
  readonly name: string;
  readonly publicKey: string;
}

/** How many people it takes. */
export const APPROVALS_NEEDED = 2;

const DOMAIN = "meterkeep-ledger-change-1\n";

/** Signs a change for somebody; base64. */
export function approveChange(change: string, privateKey: KeyObject): string {
  const text = Buffer.from(DOMAIN + change);
  const signed =
    privateKey.asymmetricKeyType === "ec"
      ? sign("sha384", text, { key: privateKey, dsaEncoding: "ieee-p1363" })
      : sign(null, text, privateKey);
  return signed.toString("base64");
}

/**
 * Reads an approved change: gives it with the names of two or more approvers whose signatures verify, each by a key of
 * their own.
 *
 * @throws LedgerError `ledger-change-refused`
 */
export function readChange(
  { change, approvals }: ApprovedChange,
  approvers: readonly Approver[],
): { readonly change: LedgerChange; readonly approvedBy: readonly string[] } {
  const text = Buffer.from(DOMAIN + change);
  const holders = new Map<string, string>();
  for (const { name, signature } of approvals) {
    const approver = approvers.find((one) => one.name === name);
    if (approver === undefined) continue;
    const key = createPublicKey(approver.publicKey);
    const octets = Buffer.from(signature, "base64");
    const holds =
      key.asymmetricKeyType === "ec"
        ? verify("sha384", text, { key, dsaEncoding: "ieee-p1363" }, octets)
        : verify(null, text, key, octets);
    // Two names with one key are one person.
    if (holds) holders.set(key.export({ type: "spki", format: "der" }).toString("hex"), name);
  }
  if (holders.size < APPROVALS_NEEDED)
    throw new LedgerError(
      "ledger-change-refused",
      `${holders.size} of the ${APPROVALS_NEEDED} approvals that are needed verify: ${[...holders.values()].join(", ")}`,
    );
  return { change: JSON.parse(change) as LedgerChange, approvedBy: [...holders.values()].sort() };
}

/** Refuses a change that was not approved for what is there now. @throws LedgerError `ledger-change-refused`. */
export function requireChangeFits(
  change: LedgerChange,
  wanted: Pick<LedgerChange, "kind" | "log" | "seen" | "witnesses">,
  head: TreeHead,
): void {
  const told = JSON.stringify([change.kind, change.log, change.size, change.root, change.seen, change.witnesses]);
  const root = Buffer.from(head.root).toString("hex");
  const needed = JSON.stringify([wanted.kind, wanted.log, head.size, root, wanted.seen, wanted.witnesses]);
  if (told !== needed)
    throw new LedgerError("ledger-change-refused", `the approved change is ${told}; what is needed is ${needed}`);
}

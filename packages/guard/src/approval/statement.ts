import { exactly, type FieldValue, hexOctets, instant, kinds, matching, object, oneOf } from "../canonical/field.ts";

/** What a person can say with a signature; `lost` is that somebody else's key is. */
export const DECISIONS = ["approve", "freeze", "enrol", "lost"] as const;

/** The hash in a statement that is about no document: to freeze everything. */
export const NO_DOCUMENT = "00".repeat(48);

/** How an approver is named by signatures and documents: it never changes and is never used again. */
export const approverId = matching(
  /^[a-z0-9][a-z0-9.-]{0,62}$/,
  "an approver's id: lower-case letters, digits, dots, dashes",
);

/** What a person signs: one form for passkeys and user keys. */
export const approvalStatement = object({
  format: exactly("meterkeep-approval-1"),
  decision: oneOf(DECISIONS),
  /** SHA-384 of the manifest or change; of whose key is lost. */
  hash: hexOctets(48, 48),
  approver: approverId,
  /** When it was signed: one that is not fresh when it arrives is not taken. */
  at: instant,
});
export type ApprovalStatement = FieldValue<typeof approvalStatement>;

/** The proof of a statement. */
export const approvalProof = kinds({
  /** A WebAuthn assertion whose challenge is SHA-256 of the statement. */
  passkey: {
    authenticatorData: hexOctets(37, 1024),
    clientData: hexOctets(1, 4096),
    signature: hexOctets(8, 256),
  },
  /** ECDSA over the statement, r and s: SHA-256 for P-256, SHA-384 for P-384. */
  signature: { signature: hexOctets(64, 96) },
});
export type ApprovalProof = FieldValue<typeof approvalProof>;

/** A statement's octets as they are signed, with their proof. */
export const approval = object({ statement: approvalStatement, proof: approvalProof });
export type Approval = FieldValue<typeof approval>;

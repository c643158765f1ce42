import { createHash } from "node:crypto";
import { type Approval, type ApprovalStatement, approvalStatement, writeCanonical } from "@meterkeep/guard";
import type { Approver } from "../document.ts";
import { type RelyingParty, verifyAssertion } from "./passkey.ts";
import { isSigned } from "./user-signature.ts";

/** The octets of a statement, as people sign them. */
export function statementOctets(statement: ApprovalStatement): Uint8Array {
  return new TextEncoder().encode(writeCanonical(approvalStatement, statement));
}

/** What a passkey signs of a statement. */
export function challengeOf(statement: ApprovalStatement): Uint8Array {
  return new Uint8Array(createHash("sha256").update(statementOctets(statement)).digest());
}

/**
 * Verifies that an approver made a statement. `fresh` also wants a passkey's counter to have gone up, which it has only the
 * first time; gives that counter then.
 */
export function verifyApproval(
  party: RelyingParty,
  { id, key }: Approver,
  { statement, proof }: Approval,
  fresh: boolean,
): { readonly signCount: number } | undefined {
  if (statement.approver !== id) return undefined;
  if (key.kind === "signature")
    return proof.kind === "signature" &&
      isSigned(octets(key.publicKey), statementOctets(statement), octets(proof.signature))
      ? { signCount: 0 }
      : undefined;
  if (proof.kind !== "passkey") return undefined;
  return verifyAssertion(
    party,
    { publicKey: octets(key.publicKey), signCount: fresh ? key.signCount : 0 },
    challengeOf(statement),
    {
      authenticatorData: octets(proof.authenticatorData),
      clientData: octets(proof.clientData),
      signature: octets(proof.signature),
    },
  );
}

function octets(hex: string): Uint8Array {
  return Buffer.from(hex, "hex");
}

import { type Approval, type Approving, approval, readCanonical, Wrong, writeCanonical } from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { type AuthorityDocument, approverOf } from "./document.ts";
import type { RelyingParty } from "./people/passkey.ts";
import { verifyApproval } from "./people/proof.ts";
import type { AuthorityRecords, StoredApproval } from "./store/records.ts";

/** A statement older than this when it arrives was not made by somebody who is here now. */
export const FRESH_MILLISECONDS = 5 * 60_000;
/** Approvals are given within a day of what they approve. */
export const APPROVAL_MILLISECONDS = DAY_MILLISECONDS;

/** A document that people approve, by what its approvals must fit. */
export interface Approvable {
  readonly hash: string;
  readonly createdAt: number;
}

/** Reads an approval that has just come, and verifies it. @throws CallRefusal `approval-refused`. */
export function acceptApproval(
  party: RelyingParty,
  document: AuthorityDocument,
  written: string,
  decision: Approval["statement"]["decision"],
  subject: Approvable,
  now: number,
): { readonly approval: Approval; readonly signCount: number } {
  const read = readCanonical(written, approval);
  if (read instanceof Wrong) throw refused(`it is not written as it should be: ${read.why}`);
  const { statement } = read;
  if (statement.decision !== decision || statement.hash !== subject.hash) throw refused("it is about something else");
  if (Math.abs(now - statement.at) > FRESH_MILLISECONDS)
    throw refused("it was not signed within the last five minutes");
  if (statement.at - subject.createdAt > APPROVAL_MILLISECONDS) throw refused("what it approves is older than a day");
  const approver = approverOf(document, statement.approver);
  const verified = approver && verifyApproval(party, approver, read, true);
  // Nobody learns from outside whether the approver or the signature is wrong.
  if (verified === undefined) throw refused("no approver of that id has signed it");
  return { approval: read, signCount: verified.signCount };
}

/** The people whose stored approvals of a document hold now, each verified by its own signature. */
export async function approvingOf(
  party: RelyingParty,
  records: Pick<AuthorityRecords, "approvals">,
  document: AuthorityDocument,
  subject: Approvable,
): Promise<readonly (Approving & { readonly id: string; readonly at: number })[]> {
  const stored = await records.approvals(subject.hash);
  return stored.flatMap(({ approval: written }) => {
    const read = readCanonical(written, approval);
    if (read instanceof Wrong) return [];
    const { statement } = read;
    const age = statement.at - subject.createdAt;
    const approver = approverOf(document, statement.approver);
    const isSound =
      statement.decision === "approve" &&
      statement.hash === subject.hash &&
      age >= -FRESH_MILLISECONDS &&
      age <= APPROVAL_MILLISECONDS &&
      approver !== undefined &&
      verifyApproval(party, approver, read, false) !== undefined;
    return isSound ? [{ id: approver.id, name: approver.name, roles: approver.roles, at: statement.at }] : [];
  });
}

/** An approval as it is kept. */
export function storedApproval({ statement, proof }: Approval, receivedAt: number): StoredApproval {
  const { hash, approver } = statement;
  return { hash, approver, approval: writeCanonical(approval, { statement, proof }), receivedAt };
}

function refused(why: string): CallRefusal {
  return new CallRefusal("approval-refused", `the approval is not taken: ${why}`);
}

import { approval, type Facts, NO_DOCUMENT, readCanonical, Wrong } from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { approverIn, enrolled } from "./apply-change.ts";
import { FRESH_MILLISECONDS } from "./approvals.ts";
import type { Changes } from "./changes.ts";
import { isFounding } from "./document.ts";
import type { DocumentKeeper } from "./document-keeper.ts";
import { type RelyingParty, readRegistration } from "./people/passkey.ts";
import { challengeOf, verifyApproval } from "./people/proof.ts";

/** How long an invitation is good. */
const INVITATION_MILLISECONDS = 15 * 60_000;
const MOST_INVITATIONS = 32;

/** Somebody who is to be enrolled. */
export interface Candidate {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  /** The id of a key of theirs that is lost: the new one comes in its place. */
  readonly replaces?: string | undefined;
}

/** What came of it: enrolled while the first ones are, planned as a change afterwards. */
export interface EnrolmentOutcome {
  readonly enrolled: boolean;
  readonly change: string | undefined;
}

interface Invitation {
  readonly candidate: Candidate;
  readonly until: number;
  readonly by: Caller;
}

/**
 * The way in for people: a key proves that somebody has it, then the first two are enrolled by the operator, which the ledger
 * says loudly, and everybody else by a change that two approve.
 */
export class Enrolment {
  readonly #documents: DocumentKeeper;
  readonly #changes: Changes;
  readonly #party: RelyingParty;
  readonly #now: () => number;
  readonly #code: () => string;
  readonly #invitations = new Map<string, Invitation>();

  constructor(documents: DocumentKeeper, changes: Changes, party: RelyingParty, now: () => number, code: () => string) {
    this.#documents = documents;
    this.#changes = changes;
    this.#party = party;
    this.#now = now;
    this.#code = code;
  }

  /** A code for the custodian's own page, good once. */
  invite(candidate: Candidate, by: Caller): string {
    for (const [code, { until }] of this.#invitations) if (until <= this.#now()) this.#invitations.delete(code);
    if (this.#invitations.size >= MOST_INVITATIONS)
      throw new CallRefusal("too-many-open", `${MOST_INVITATIONS} invitations are open`);
    const code = this.#code();
    this.#invitations.set(code, { candidate, until: this.#now() + INVITATION_MILLISECONDS, by });
    return code;
  }

  /** Who was invited, and the statement that the new passkey is made for; undefined for a code that is not good. */
  invited(code: string): (Candidate & { readonly at: number; readonly challenge: Uint8Array }) | undefined {
    const invitation = this.#invitations.get(code);
    if (invitation === undefined || invitation.until <= this.#now()) return undefined;
    const { candidate, until } = invitation;
    return { ...candidate, at: until, challenge: this.#challenge(candidate, until) };
  }

  /** Enrols the passkey that was made for an invitation. @throws CallRefusal `approval-refused`, `change-refused`. */
  async register(
    code: string,
    made: { readonly attestationObject: Uint8Array; readonly clientData: Uint8Array },
  ): Promise<EnrolmentOutcome> {
    const invitation = this.#invitations.get(code);
    const passkey =
      invitation !== undefined && invitation.until > this.#now()
        ? readRegistration(this.#party, this.#challenge(invitation.candidate, invitation.until), made)
        : undefined;
    if (invitation === undefined || passkey === undefined)
      throw new CallRefusal("approval-refused", "the invitation or the passkey is not good");
    this.#invitations.delete(code);
    return this.#enrol(
      {
        ...candidateFacts(invitation.candidate),
        keyKind: "passkey",
        publicKey: hex(passkey.publicKey),
        credentialId: hex(passkey.credentialId),
        signCount: passkey.signCount,
      },
      invitation.by,
    );
  }

  /** Enrols a user key that has signed the statement `enrol`. @throws CallRefusal `approval-refused`, `change-refused`. */
  async enrolApprover(
    candidate: Candidate,
    publicKey: Uint8Array,
    written: string,
    by: Caller,
  ): Promise<EnrolmentOutcome> {
    const body = { ...candidateFacts(candidate), keyKind: "signature", publicKey: hex(publicKey) };
    const read = readCanonical(written, approval);
    const approver = approverIn(body, this.#now());
    if (typeof approver === "string") throw new CallRefusal("change-refused", approver);
    const isProven =
      !(read instanceof Wrong) &&
      read.statement.decision === "enrol" &&
      read.statement.hash === NO_DOCUMENT &&
      Math.abs(this.#now() - read.statement.at) <= FRESH_MILLISECONDS &&
      verifyApproval(this.#party, approver, read, true) !== undefined;
    if (!isProven) throw new CallRefusal("approval-refused", "the key has not signed that it is to be enrolled");
    return this.#enrol(body, by);
  }

  async #enrol(body: Facts, by: Caller): Promise<EnrolmentOutcome> {
    const { replaces } = body;
    if (replaces !== undefined) {
      // Whose key is lost does not vote on it, and nobody who keeps this machine does: two others sign.
      const change = await this.#changes.plan("replace-approver", body, String(body["name"]), "a key is lost", by);
      return { enrolled: false, change };
    }
    let isEnrolled = false;
    await this.#documents.change((document) => {
      if (!isFounding(document)) return { entries: [] };
      const applied = enrolled(document, approverIn(body, this.#now()));
      if (applied === "elsewhere" || "problem" in applied)
        throw new CallRefusal("change-refused", applied === "elsewhere" ? "" : applied.problem);
      isEnrolled = true;
      const entry = installationEntry(this.#now(), "approver-enrolled-by-operator", by.name, body);
      return { next: applied.next, entries: [entry] };
    });
    if (isEnrolled) return { enrolled: true, change: undefined };
    // Who wants in does not vote on it.
    const change = await this.#changes.plan("enrol-approver", body, String(body["name"]), "", by);
    return { enrolled: false, change };
  }

  #challenge({ id }: Candidate, at: number): Uint8Array {
    const statement = {
      format: "meterkeep-approval-1",
      decision: "enrol",
      hash: NO_DOCUMENT,
      approver: id,
      at,
    } as const;
    return challengeOf(statement);
  }
}

function candidateFacts({ id, name, roles, replaces }: Candidate) {
  return { id, name, roles: [...roles], ...(replaces !== undefined && { replaces }) };
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}

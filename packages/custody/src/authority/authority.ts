import { randomBytes } from "node:crypto";
import type { AuthorityState, Decision } from "@meterkeep/api/custodian";
import {
  approval,
  approvalStatement,
  CHANGE_KINDS,
  type ChangeKindName,
  type Facts,
  type ManifestHeader,
  manifestHeader,
  missingFor,
  NO_DOCUMENT,
  readCanonical,
  requirementOf,
  Wrong,
  writeCanonical,
} from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Write } from "../store/store.ts";
import { applyChange, suspended } from "./apply-change.ts";
import { APPROVAL_MILLISECONDS, acceptApproval, approvingOf, storedApproval } from "./approvals.ts";
import { type ChangeState, Changes, requestIn } from "./changes.ts";
import { CriticalSeals, type SealDependencies } from "./critical-seals.ts";
import { type AuthorityDocument, capsLifted, clockDoubtOf, thresholdsAt } from "./document.ts";
import type { Candidate } from "./enrolment.ts";
import { lossHash, replacementFor } from "./lost-key.ts";
import { partsOf, takeManifest } from "./manifests.ts";
import type { StoredApproval, StoredChange, StoredManifest } from "./store/records.ts";

/**
 * So many manifests of one caller within a day may be without any approval, also those whose window is over: whoever hands in more
 * than people look at fills the disk, and hides among them what matters.
 */
const MOST_UNAPPROVED = 100;

/** A stop that is shorter changes no document. */
const WORTH_COUNTING_MILLISECONDS = 1000;

/** How far a manifest has come. */
export const MANIFEST_STATES = ["planned", "approved", "expired"] as const;
export interface ManifestState {
  readonly hash: string;
  readonly header: ManifestHeader;
  readonly state: (typeof MANIFEST_STATES)[number];
  readonly approvedBy: readonly string[];
  readonly people: number;
  readonly missing: string | undefined;
  readonly submittedAt: number;
}

/** What an approval has led to. */
export interface Approved {
  readonly missing: string | undefined;
  readonly executed: boolean;
}

/** What an approval is about. */
type Subject = { readonly change: StoredChange } | { readonly manifest: StoredManifest };

/**
 * Who may have the custodian do what is dangerous: what people approved, word for word, and nothing else. It puts together
 * the document (`document-keeper.ts`), changes, manifests, approvals and seals.
 */
export class Authority {
  readonly changes: Changes;
  readonly seals: CriticalSeals;
  readonly #dependencies: SealDependencies;

  private constructor(dependencies: SealDependencies, seals: CriticalSeals) {
    this.#dependencies = dependencies;
    this.changes = new Changes(dependencies);
    this.seals = seals;
  }

  static async open(dependencies: SealDependencies): Promise<Authority> {
    return new Authority(dependencies, await CriticalSeals.open(dependencies));
  }

  /**
   * MC-08: a clock that is far ahead of the newest of what was written, at one start or at several that no lived time lies between,
   * takes nothing off until two people have said that time has passed. The doubt is kept: what is written under that clock, and a start anew, do not end it. Where nobody is enrolled
   * nothing can have been approved. To be asked at a start, unless the ledger is halted: nothing can be written then.
   */
  async doubtClock(): Promise<void> {
    const { documents, time, now } = this.#dependencies;
    if (documents.spoilt !== undefined) return;
    await documents.change((document) => {
      if (document.approvers.length === 0) return { entries: [] };
      const { isDoubted, thisStopMilliseconds, milliseconds, at } = time.stopped(document.stopped);
      if (!isDoubted) {
        const next = { ...document, stopped: { milliseconds, at } };
        return { next: thisStopMilliseconds >= WORTH_COUNTING_MILLISECONDS ? next : undefined, entries: [] };
      }
      // A second leap does not hide behind the first: what was agreed to about the clock of one start is about no other.
      const clockDoubt = { written: document.clockDoubt?.written ?? now() - milliseconds, found: now() };
      return {
        next: { ...document, clockDoubt, stopped: { milliseconds: 0, at } },
        entries: [this.#entry("clock-doubted", "custodian", { ...clockDoubt, aheadMilliseconds: milliseconds })],
      };
    });
  }

  get document(): AuthorityDocument {
    return this.#dependencies.documents.document;
  }

  /** Why nothing critical is sealed, or nothing that takes off, whatever token comes with it: whole sentences. */
  get trouble(): AuthorityState["trouble"] {
    const { documents, time } = this.#dependencies;
    const spoilt = documents.spoilt ?? this.seals.spoilt;
    if (spoilt !== undefined) return { code: "authority-spoilt", message: `Nothing critical is sealed: ${spoilt}` };
    if (time.jump !== undefined) {
      const message = `Nothing critical is sealed: the wall clock was set by ${time.jump} ms since the start; start anew when it is right`;
      return { code: "clock-jumped", message };
    }
    const doubt = clockDoubtOf(this.document, time);
    return doubt && { code: doubt.code, message: `Nothing is switched off, giving back goes on: ${doubt.message}` };
  }

  /** Whether everything critical is frozen; a custodian that is in doubt about its authority is as good as frozen. */
  get isFrozen(): boolean {
    return this.document.frozen !== undefined || this.#dependencies.documents.spoilt !== undefined;
  }

  /** While people have lifted the caps: until when, and why. */
  get capsLifted(): { readonly until: number; readonly reason: string } | undefined {
    const { breakGlass } = this.document;
    if (breakGlass === undefined || !capsLifted(this.document, this.#dependencies.now())) return undefined;
    return { until: breakGlass.until, reason: breakGlass.reason };
  }

  /** MC-19: freezes everything critical. One person is enough, and it is never refused. */
  async freeze(reason: string, by: string): Promise<void> {
    const { documents, now } = this.#dependencies;
    this.seals.halt();
    await documents.change((document) => ({
      next: document.frozen === undefined ? { ...document, frozen: { since: now(), by, reason } } : undefined,
      entries: [this.#entry("kill-switch-on", by, { reason })],
    }));
  }

  /** Freezes by a person's own signature: for the page. */
  async freezeSigned(written: string, reason: string): Promise<void> {
    const { documents, party, now } = this.#dependencies;
    const subject = { hash: NO_DOCUMENT, createdAt: now() };
    const taken = acceptApproval(party, documents.document, written, "freeze", subject, now());
    await this.freeze(reason, personOf(documents.document, taken.approval.statement.approver));
  }

  /** Suspends an approver: nothing of theirs counts from now on. @throws CallRefusal `change-refused`. */
  async suspendApprover(id: string, reason: string, by: string): Promise<void> {
    const { documents, now } = this.#dependencies;
    await documents.change((document) => {
      const applied = suspended(document, id, { since: now(), by, reason });
      if (applied === "elsewhere" || "problem" in applied)
        throw new CallRefusal("change-refused", applied === "elsewhere" ? "" : applied.problem);
      if (applied.next === document) return { entries: [] };
      return { next: applied.next, entries: [this.#entry("approver-suspended", by, { approver: id, reason })] };
    });
  }

  /**
   * Suspends an approver whose key is lost, by another's signature: for the page. Two others still have to agree to the key that
   * comes in its place.
   *
   * @returns who is to make that key
   * @throws CallRefusal `approval-refused`, `change-refused`
   */
  async reportLoss(written: string, lost: string): Promise<Candidate> {
    const { documents, party, now } = this.#dependencies;
    const subject = { hash: lossHash(lost), createdAt: now() };
    const { approver } = acceptApproval(party, documents.document, written, "lost", subject, now()).approval.statement;
    // Whoever found the key could say so with it, and ask for the next one.
    if (approver === lost) throw new CallRefusal("change-refused", "that a key is lost is said by another one");
    const candidate = replacementFor(documents.document, lost);
    await this.suspendApprover(lost, "its key is lost", personOf(documents.document, approver));
    return candidate;
  }

  /** Keeps a manifest that is to be approved; the same one again is the same. @throws CallRefusal `manifest-refused`, `too-many-open`. */
  async submitManifest(chunks: AsyncIterable<Uint8Array>, caller: Caller): Promise<ManifestState> {
    const { documents, records, committer, now } = this.#dependencies;
    documents.requireSound();
    const { manifest, hash } = await takeManifest(chunks);
    const { header } = manifest;
    if (Math.abs(now() - header.createdAt) > APPROVAL_MILLISECONDS)
      throw new CallRefusal("manifest-refused", "it was not made within the last day");
    if (now() >= header.notAfter) throw new CallRefusal("manifest-refused", "its window is over");
    const known = await records.manifest(hash);
    if (known !== undefined) return this.#manifestState(known);
    if ((await records.unapprovedManifests(caller.name, now() - APPROVAL_MILLISECONDS)) >= MOST_UNAPPROVED)
      throw new CallRefusal(
        "too-many-open",
        `nobody has approved ${MOST_UNAPPROVED} manifests that ${caller.name} handed in within a day: "npx meterkeep manifest list" shows them; approve what is meant, or wait until they are a day old`,
      );
    const { utility, island, operation, targets, loadAtRiskW, requester, workOrder } = header;
    const submittedAt = now();
    const written = writeCanonical(manifestHeader, header);
    const stored = { utility, island, hash, header: written, submittedAt, submittedBy: caller.name };
    for await (const part of partsOf(manifest, hash))
      await committer.submit({ writes: [{ kind: "add-manifest-part", part }], entries: [] });
    const body = { hash, operation: operation.kind, targets, loadAtRiskW, requester, workOrder };
    await documents.change(() => ({
      writes: [{ kind: "add-manifest", manifest: stored }],
      entries: [{ at: submittedAt, kind: "manifest-submitted", principal: caller.name, utility, island, body }],
    }));
    return this.#manifestState(stored);
  }

  /** Manifests, newest first. */
  async manifests(limit: number): Promise<readonly ManifestState[]> {
    const { records } = this.#dependencies;
    return Promise.all((await records.manifests(limit)).map((manifest) => this.#manifestState(manifest)));
  }

  async manifestState(hash: string): Promise<ManifestState | undefined> {
    const manifest = await this.#dependencies.records.manifest(hash);
    return manifest && this.#manifestState(manifest);
  }

  async changeStates(limit: number): Promise<readonly ChangeState[]> {
    const { records } = this.#dependencies;
    return Promise.all((await records.changes(limit)).map((change) => this.changes.stateOf(change, this.document)));
  }

  /** Takes an approval, whoever brings it: its signature says whose it is. @throws CallRefusal `approval-refused`. */
  async approve(written: string, caller: Caller): Promise<Approved> {
    const { documents, records, party, now } = this.#dependencies;
    const read = readCanonical(written, approval);
    const hash = read instanceof Wrong ? "" : read.statement.hash;
    const subject = await this.#subject(hash);
    let outcome: Approved = { missing: undefined, executed: false };
    await documents.change(async (document) => {
      const createdAt = createdAtOf(subject);
      const taken = acceptApproval(party, document, written, "approve", { hash, createdAt }, now());
      const { approver } = taken.approval.statement;
      const name = personOf(document, approver);
      this.#requireOther(subject, name);
      const stored = storedApproval(taken.approval, now());
      if ((await records.approvals(hash)).some((one) => one.approver === approver))
        throw new CallRefusal("approval-refused", "the approval is not taken: this person has approved it already");
      const counted = withSignCount(document, approver, taken.signCount);
      const decided = await this.#decide(subject, stored, counted, name, caller);
      outcome = decided.outcome;
      const next = decided.next ?? (counted === document ? undefined : counted);
      return {
        next,
        writes: [{ kind: "add-approval", approval: stored }, ...decided.writes],
        entries: [this.#entry("approval-given", caller.name, { hash, approver, name }), ...decided.entries],
      };
    });
    this.seals.forget(hash);
    if (outcome.executed) this.#dependencies.executed.executed(hash);
    if ("change" in subject && subject.change.kind === "thaw" && outcome.executed) this.seals.goOn();
    return outcome;
  }

  /** What one more approval leads to: a change of the authority itself is made by it where it was the last one missing. */
  async #decide(
    subject: Subject,
    stored: StoredApproval,
    document: AuthorityDocument,
    name: string,
    caller: Caller,
  ): Promise<{
    readonly outcome: Approved;
    readonly next?: AuthorityDocument;
    readonly writes: readonly Write[];
    readonly entries: readonly LedgerDraft[];
  }> {
    const { records, party, now } = this.#dependencies;
    // As it will be once the new one is stored.
    const withNew = { approvals: async (hash: string) => [...(await records.approvals(hash)), stored] };
    if ("manifest" in subject) {
      const header = headerOf(subject.manifest);
      const people = await approvingOf(party, withNew, document, { hash: stored.hash, createdAt: header.createdAt });
      const missing = missingFor(requirementOf(header, thresholdsAt(document, now())), people, header.requester);
      const entries = missing === undefined ? [this.#entry("manifest-approved", name, { hash: stored.hash })] : [];
      return { outcome: { missing, executed: false }, writes: [], entries };
    }
    const state = await new Changes({ ...this.#dependencies, records: { ...records, ...withNew } }).stateOf(
      subject.change,
      document,
    );
    const { hash, request, missing, approvedBy } = state;
    if (state.state !== "approved") return { outcome: { missing, executed: false }, writes: [], entries: [] };
    const applied = applyChange(document, request, hash, now());
    if (applied === "elsewhere") return { outcome: { missing: undefined, executed: false }, writes: [], entries: [] };
    if ("problem" in applied) throw new CallRefusal("change-refused", `the change cannot be made: ${applied.problem}`);
    const { kind, body } = request;
    return {
      outcome: { missing: undefined, executed: true },
      next: applied.next,
      writes: [{ kind: "execute-change", hash, at: now() }],
      entries: [this.#entry("change-executed", caller.name, { hash, kind, body, approvedBy })],
    };
  }

  async #subject(hash: string): Promise<Subject> {
    const { records, now } = this.#dependencies;
    const change = await records.change(hash);
    if (change !== undefined) {
      await this.changes.requireExecutedOnce(change);
      const isOver = change.executedAt !== undefined || now() >= requestIn(change).expiresAt;
      if (isOver) throw new CallRefusal("approval-refused", "the change was executed or has expired");
      return { change };
    }
    const manifest = await records.manifest(hash);
    if (manifest === undefined)
      throw new CallRefusal("approval-refused", "there is no manifest or change of that hash");
    return { manifest };
  }

  #requireOther(subject: Subject, name: string): void {
    const requester = "change" in subject ? requestIn(subject.change).requester : headerOf(subject.manifest).requester;
    if (missingFor({ people: 1, differentRoles: false }, [{ name, roles: [] }], requester) !== undefined)
      throw new CallRefusal("approval-refused", "the approval is not taken: who asks does not approve");
  }

  async #manifestState(manifest: StoredManifest): Promise<ManifestState> {
    const { records, party, now } = this.#dependencies;
    const { hash, submittedAt } = manifest;
    const header = headerOf(manifest);
    const people = await approvingOf(party, records, this.document, { hash, createdAt: header.createdAt });
    const required = requirementOf(header, thresholdsAt(this.document, now()));
    const missing = missingFor(required, people, header.requester);
    const open = missing === undefined ? "approved" : "planned";
    const state = now() >= header.notAfter ? "expired" : open;
    const approvedBy = people.map(({ name }) => name);
    return { hash, header, state, approvedBy, people: required.people, missing, submittedAt };
  }

  #entry(kind: string, principal: string, body: unknown): LedgerDraft {
    return installationEntry(this.#dependencies.now(), kind, principal, body);
  }
}

/** What a person is asked to sign, made by who knows the time: the custodian. */
export function statementText(decision: Decision, hash: string, approver: string, at: number): string {
  const statement = approvalStatement({ format: "meterkeep-approval-1", decision, hash, approver, at });
  if (statement instanceof Wrong) throw new CallRefusal("request-malformed", statement.why);
  return JSON.stringify(statement);
}

/** A kind of change as it is named from outside, and its facts. @throws CallRefusal `change-refused`. */
export function changeKind(name: string): ChangeKindName {
  if (!Object.hasOwn(CHANGE_KINDS, name)) throw new CallRefusal("change-refused", `there is no change called ${name}`);
  return name as ChangeKindName;
}

export type { Facts };

/** A token for something that is shown once. */
export const freshCode = (): string => randomBytes(24).toString("base64url");

function headerOf({ header, hash }: Pick<StoredManifest, "header" | "hash">): ManifestHeader {
  const read = readCanonical(header, manifestHeader);
  if (read instanceof Wrong) throw new CallRefusal("record-refused", `the header of manifest ${hash} was changed`);
  return read;
}

function createdAtOf(subject: Subject): number {
  return "change" in subject ? requestIn(subject.change).createdAt : headerOf(subject.manifest).createdAt;
}

function personOf(document: AuthorityDocument, id: string): string {
  return document.approvers.find((one) => one.id === id)?.name ?? id;
}

/** The document once an approver's authenticator has counted on; the same one where it counts nothing. */
function withSignCount(document: AuthorityDocument, id: string, signCount: number): AuthorityDocument {
  if (signCount === 0) return document;
  return {
    ...document,
    approvers: document.approvers.map((one) =>
      one.id === id && one.key.kind === "passkey" ? { ...one, key: { ...one.key, signCount } } : one,
    ),
  };
}

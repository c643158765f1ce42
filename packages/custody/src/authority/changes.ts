import { randomBytes } from "node:crypto";
import {
  CHANGE_KINDS,
  type ChangeKindName,
  type ChangeRequest,
  changeRequest,
  type Facts,
  facts,
  missingFor,
  readCanonical,
  requirement,
  Wrong,
  writeCanonical,
} from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Change } from "../store/committer.ts";
import { applyChange, peopleFor } from "./apply-change.ts";
import { approvingOf } from "./approvals.ts";
import { type AuthorityDocument, thresholdsAt } from "./document.ts";
import type { DocumentKeeper } from "./document-keeper.ts";
import type { ExecutedChanges } from "./executed-changes.ts";
import { hashOf } from "./manifests.ts";
import type { RelyingParty } from "./people/passkey.ts";
import type { AuthorityRecords, StoredChange } from "./store/records.ts";

/** What is not approved within a day is planned anew. */
export const CHANGE_MILLISECONDS = DAY_MILLISECONDS;
/** So many changes of one head-end may wait for people. */
const MOST_OPEN_OF_A_HEAD_END = 64;
/** How far back a change that was planned is looked for. */
const MOST_LOOKED_AT = 500;

/** What changes need. */
export interface ChangeDependencies {
  readonly records: Pick<AuthorityRecords, "change" | "changes" | "approvals" | "wasExecuted">;
  readonly documents: DocumentKeeper;
  readonly executed: Pick<ExecutedChanges, "planned" | "executed" | "doubtOf">;
  readonly party: RelyingParty;
  readonly now: () => number;
}

/** How a change is asked for. */
export interface ChangeAsked {
  /** The person behind the caller, who does not approve; the caller itself unless given. */
  readonly requester?: string | undefined;
  /** Not without approvals, although the kind would allow it while nobody is enrolled to approve. */
  readonly always?: boolean | undefined;
  /** What is done by it, where that is one commit with the burning of the approval; the part that required it does it otherwise. */
  readonly doing?: ((approved: ApprovedChange) => Pick<Change, "writes" | "entries">) | undefined;
}

/** A change that people agreed to and that is burnt: it is not there a second time. */
export interface ApprovedChange {
  /** Undefined where nobody is enrolled to approve and the kind allows that. */
  readonly hash: string | undefined;
  readonly approvedBy: readonly string[];
}

/** How far a change has come. */
export const CHANGE_STATES = ["planned", "approved", "executed", "expired"] as const;
export interface ChangeState {
  readonly hash: string;
  readonly request: ChangeRequest;
  readonly state: (typeof CHANGE_STATES)[number];
  readonly approvedBy: readonly string[];
  readonly people: number;
  /** What is missing, in words; undefined where nothing is. */
  readonly missing: string | undefined;
  readonly submittedAt: number;
  readonly executedAt: number | undefined;
}

/**
 * Changes of the custodian's own rules, and acts of its own that people must agree to.
 *
 * States of a change: *planned* (its document is kept, approvals come in), *approved* (enough people signed), *executed* (once:
 * by the approval that was missing, where it changes the authority itself, or by the part that required it), *expired*.
 */
export class Changes {
  readonly #dependencies: ChangeDependencies;

  constructor(dependencies: ChangeDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Goes on only when people have agreed to this very change: burns the approval and says whose it was. Otherwise the change
   * is planned, once, and refused with its hash, to be approved and asked for again.
   *
   * @throws CallRefusal `approval-required`; `too-many-open` where a head-end has planned more than people can look at.
   */
  async require(
    kind: ChangeKindName,
    body: Facts,
    caller: Caller,
    reason = "",
    { requester = caller.name, always = false, doing = () => ({}) }: ChangeAsked = {},
  ): Promise<ApprovedChange> {
    const { documents, now } = this.#dependencies;
    if (!always && this.#isFree(kind)) {
      const nobody = { hash: undefined, approvedBy: [] };
      const { writes = [], entries = [] } = doing(nobody);
      const said = this.#entry("done-without-approvers", caller.name, { kind, body });
      await documents.change(() => ({ writes, entries: [said, ...entries] }));
      return nobody;
    }
    const hash = await this.#planned(kind, body, caller, reason, requester);
    let approvedBy: readonly string[] = [];
    await documents.change(async (document) => {
      approvedBy = await this.#approvedBy(hash, kind, body, document);
      const { writes = [], entries = [] } = doing({ hash, approvedBy });
      return {
        writes: [{ kind: "execute-change", hash, at: now() }, ...writes],
        entries: [this.#entry("change-executed", caller.name, { hash, kind, body, approvedBy }), ...entries],
      };
    });
    this.#dependencies.executed.executed(hash);
    return { hash, approvedBy };
  }

  /**
   * As `require`, and burns nothing: for what makes something that must not lie about while people think, and is required
   * when it is made.
   *
   * @throws CallRefusal `approval-required`; `too-many-open` where a head-end has planned more than people can look at.
   */
  async requireApproved(kind: ChangeKindName, body: Facts, caller: Caller, reason = ""): Promise<void> {
    if (this.#isFree(kind)) return;
    const hash = await this.#planned(kind, body, caller, reason, caller.name);
    await this.#approvedBy(hash, kind, body, this.#dependencies.documents.document);
  }

  /** Whether nobody is enrolled to approve, and the kind allows that. */
  #isFree(kind: ChangeKindName): boolean {
    return (
      CHANGE_KINDS[kind].control === "when-enrolled" && this.#dependencies.documents.document.approvers.length === 0
    );
  }

  /** The hash of a change that is open, or is planned by this. */
  async #planned(
    kind: ChangeKindName,
    body: Facts,
    caller: Caller,
    reason: string,
    requester: string,
  ): Promise<string> {
    const open = await this.#open();
    const { hash, doubt } = await this.#sameOf(open, kind, body);
    if (hash !== undefined) return hash;
    if (doubt !== undefined) await this.#noteRefused(doubt);
    if (caller.role === "head-end") requireRoom(open, caller);
    return this.plan(kind, body, requester, reason, caller);
  }

  /** Changes that are neither executed nor expired. */
  async #open(): Promise<readonly OpenChange[]> {
    const { records, now } = this.#dependencies;
    return (await records.changes(MOST_LOOKED_AT))
      .map((stored) => ({ ...stored, request: requestIn(stored) }))
      .filter(({ executedAt, request }) => executedAt === undefined && now() < request.expiresAt);
  }

  /** Which of them is this very change; where its row may have been put back, why it is none. */
  async #sameOf(
    open: readonly OpenChange[],
    kind: ChangeKindName,
    body: Facts,
  ): Promise<{ readonly hash?: string; readonly doubt?: string }> {
    const written = writeCanonical(facts, body);
    let doubt: string | undefined;
    for (const { hash, request } of open) {
      if (request.kind !== kind || writeCanonical(facts, request.body) !== written) continue;
      doubt = await this.#dependencies.executed.doubtOf(hash);
      if (doubt === undefined) return { hash };
    }
    return doubt === undefined ? {} : { doubt };
  }

  /** Who agreed to a change. @throws CallRefusal `approval-required` */
  async #approvedBy(hash: string, kind: ChangeKindName, body: Facts, document: AuthorityDocument) {
    const stored = (await this.#dependencies.records.change(hash)) as StoredChange;
    await this.requireExecutedOnce(stored);
    const { state, missing, approvedBy } = await this.stateOf(stored, document);
    if (state !== "approved")
      throw new CallRefusal(
        "approval-required",
        `${CHANGE_KINDS[kind].words(body)}: ${missing ?? state}. Approve change ${hash} and ask again`,
      );
    return approvedBy;
  }

  /**
   * Plans a change; gives its hash. What the same requester has planned already and is open is that change, whatever the
   * reason: approvals of two would not add up. Another's is another change, since who asks does not approve.
   *
   * @throws CallRefusal `change-refused`.
   */
  async plan(kind: ChangeKindName, body: Facts, requester: string, reason: string, caller: Caller): Promise<string> {
    const { documents, now } = this.#dependencies;
    const request = {
      format: "meterkeep-change-1",
      kind,
      body,
      requester,
      reason,
      createdAt: now(),
      expiresAt: now() + CHANGE_MILLISECONDS,
      nonce: randomBytes(16).toString("hex"),
    } as const;
    const read = changeRequest(request);
    if (read instanceof Wrong) throw new CallRefusal("change-refused", `the change is not planned: ${read.why}`);
    const document = JSON.stringify(read);
    const hash = hashOf(document);
    let known: string | undefined;
    await documents.change(async (authority) => {
      const own = (await this.#open()).filter((one) => one.request.requester === requester);
      ({ hash: known } = await this.#sameOf(own, kind, body));
      if (known !== undefined) return { entries: [] };
      const applied = applyChange(authority, read as ChangeRequest, hash, now());
      if (applied !== "elsewhere" && "problem" in applied)
        throw new CallRefusal("change-refused", `the change is not planned: ${applied.problem}`);
      return {
        writes: [
          {
            kind: "add-change",
            change: { hash, kind, document, submittedAt: now(), submittedBy: caller.name, executedAt: undefined },
          },
        ],
        entries: [this.#entry("change-planned", caller.name, { hash, kind, body, requester, reason })],
      };
    });
    if (known !== undefined) return known;
    this.#dependencies.executed.planned(hash);
    return hash;
  }

  /**
   * @throws CallRefusal `record-refused`, once the ledger has it, where a change was executed and its row says it was not, or nobody
   *   can tell any more
   */
  async requireExecutedOnce({ hash, executedAt }: StoredChange): Promise<void> {
    const { records, executed } = this.#dependencies;
    if (executedAt !== undefined) return;
    const message = (await records.wasExecuted(hash))
      ? `change ${hash} was executed, by the ledger; its row says it was not`
      : await executed.doubtOf(hash);
    if (message === undefined) return;
    await this.#noteRefused(message);
    throw new CallRefusal("record-refused", message);
  }

  async #noteRefused(message: string): Promise<void> {
    const entry = this.#entry("record-refused", "custodian", { code: "record-put-back", message });
    await this.#dependencies.documents.note([entry]);
  }

  /** How far a change has come, by approvals that verify against a document. */
  async stateOf(stored: StoredChange, document: AuthorityDocument): Promise<ChangeState> {
    const { records, party, now } = this.#dependencies;
    const request = requestIn(stored);
    const { hash, submittedAt, executedAt } = stored;
    const approving = await approvingOf(party, records, document, { hash, createdAt: request.createdAt });
    const people = peopleFor(request.kind, thresholdsAt(document, now()));
    const missing = missingFor(requirement(people), approving, request.requester);
    const open = now() >= request.expiresAt ? "expired" : missing === undefined ? "approved" : "planned";
    const approvedBy = approving.map(({ name }) => name);
    const state = executedAt === undefined ? open : "executed";
    return { hash, request, state, approvedBy, people, missing, submittedAt, executedAt };
  }

  #entry(kind: string, principal: string, body: unknown) {
    return installationEntry(this.#dependencies.now(), kind, principal, body);
  }
}

type OpenChange = StoredChange & { readonly request: ChangeRequest };

/** Whoever owns a head-end must not bury what people are to look at. */
function requireRoom(open: readonly Pick<StoredChange, "submittedBy">[], caller: Caller): void {
  if (open.filter(({ submittedBy }) => submittedBy === caller.name).length < MOST_OPEN_OF_A_HEAD_END) return;
  throw new CallRefusal("too-many-open", `${MOST_OPEN_OF_A_HEAD_END} changes of ${caller.name} wait for approval`);
}

/** The request of a stored change. @throws CallRefusal `record-refused` where its document is not what its hash says. */
export function requestIn({ hash, document }: StoredChange): ChangeRequest {
  const request = readCanonical(document, changeRequest);
  if (hashOf(document) !== hash || request instanceof Wrong)
    throw new CallRefusal("record-refused", `the document of change ${hash} is not what was planned`);
  return request as ChangeRequest;
}

import type {
  CustodianRequest,
  CustodianResponse,
  EnrolmentCause,
  EnrolmentReport,
  PlanEnrolments,
} from "@meterkeep/api/custodian";
import { MAX_PAGE_ENROLMENTS } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import type { Caller } from "../calls/caller.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { SIGNING_PROFILES } from "../protocol/meter-facts.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { ContactQueue } from "../rotation/contact-queue.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import { changedEnrolmentPolicy, DEFAULT_ENROLMENT_POLICY, type EnrolmentPolicy, URGENT_RISK } from "./policy.ts";
import { enrolmentStateOf } from "./view.ts";

const HOURS_A_DAY = 24;
/** How often policies are looked at, and how many enrolments one look may plan. */
const POLICY_MILLISECONDS = 600_000;
const MOST_PLANNED_AT_A_LOOK = 5000;

/** Meters are enrolled when no takeover has ended for so long, or the first has waited for so long. */
const QUIET_MILLISECONDS = 5000;
const LONGEST_WAIT_MILLISECONDS = 60_000;

/** What the cause adds to a meter's risk: a key that strangers may have goes before one that is merely old. */
const CAUSE_RISK: Readonly<Record<EnrolmentCause, number>> = {
  renewal: 0,
  first: 100,
  authorities: 150,
  demand: 200,
  compromise: URGENT_RISK,
  revocation: 2 * URGENT_RISK,
};

/** What enrolments are planned with. */
export interface EnrolmentDependencies {
  readonly store: Pick<CustodyStore, "enrolments">;
  readonly files: CheckedFiles;
  readonly committer: Committer;
  /** SHA-256 of the roots whose keys are no longer ours alone. */
  readonly compromisedAnchors: () => Promise<ReadonlySet<string>>;
  readonly now: () => number;
}

/**
 * Who is enrolled, in which order and at which rate, and when certificates are renewed: years before their end, so many a
 * day, those at the greatest risk first.
 */
export class Enrolments {
  readonly #dependencies: EnrolmentDependencies;
  readonly #queue: ContactQueue;
  /** Taken over since somebody asked last. What a process forgets, the next look at the policy finds. */
  readonly #takenOver = new Set<string>();
  #firstTakenOver = 0;
  #lastTakenOver = 0;
  #policy: EnrolmentPolicy | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(dependencies: EnrolmentDependencies) {
    this.#dependencies = dependencies;
    this.#queue = new ContactQueue(dependencies.store.enrolments, dependencies.now);
  }

  async plan(request: PlanEnrolments, caller: Caller): Promise<CustodianResponse<"planEnrolments">> {
    const { committer, now } = this.#dependencies;
    const { cause, reason, meters } = request;
    const asked = { cause, reason, meters: meters.length };
    await committer.submit({ entries: [installationEntry(now(), "enrolments-asked", caller.name, asked)] });
    const planned = await this.#plan(cause, meters.map(systemTitleText), caller.name, Number.MAX_SAFE_INTEGER);
    return { planned };
  }

  /** Plans contacts that free these meters of what was revoked; those that have an enrolment open lose it in that. */
  async free(meters: readonly string[]): Promise<number> {
    return this.#plan("revocation", meters, "policy", meters.length);
  }

  /** A meter has been taken over: its enrolment comes next, where it can have one. */
  takenOver(title: string): void {
    const { now } = this.#dependencies;
    if (this.#takenOver.size === 0) this.#firstTakenOver = now();
    this.#lastTakenOver = now();
    this.#takenOver.add(title);
  }

  /** Up to `limit` meters that want a contact for their certificates, for who asks. */
  async due(limit: number, asker: string): Promise<readonly string[]> {
    if (limit <= 0) return [];
    await this.#planTakenOver();
    const { perDay } = await this.#currentPolicy();
    const isStopped = perDay === 0;
    return this.#queue.take(limit, (isStopped ? DEFAULT_ENROLMENT_POLICY.perDay : perDay) / HOURS_A_DAY, {
      isStopped,
      asker,
    });
  }

  /** Takeovers go first: what they need is worth more than certificates are. */
  async #planTakenOver(): Promise<void> {
    const now = this.#dependencies.now();
    const isQuiet = now - this.#lastTakenOver >= QUIET_MILLISECONDS;
    if (this.#takenOver.size === 0 || (!isQuiet && now - this.#firstTakenOver < LONGEST_WAIT_MILLISECONDS)) return;
    const fresh = [...this.#takenOver].slice(0, MOST_PLANNED_AT_A_LOOK);
    for (const title of fresh) this.#takenOver.delete(title);
    this.#firstTakenOver = now;
    await this.#plan("first", fresh, "policy", fresh.length);
  }

  /** A meter wants its next contact so much later. */
  rest(title: string, milliseconds: number): void {
    this.#queue.rest(title, milliseconds);
  }

  async states({ meters, after }: CustodianRequest<"enrolmentStates">): Promise<CustodianResponse<"enrolmentStates">> {
    const { files, store } = this.#dependencies;
    const titles =
      meters.length > 0
        ? meters.map(systemTitleText)
        : await store.enrolments.titles(SIGNING_PROFILES, after && systemTitleText(after), MAX_PAGE_ENROLMENTS);
    if (titles.length === 0) return { states: [] };
    const page = await files.loadPage(titles, undefined, MAX_PAGE_ENROLMENTS);
    const compromised = await this.#dependencies.compromisedAnchors();
    return { states: page.map((file) => enrolmentStateOf(file, compromised)) };
  }

  async report(): Promise<EnrolmentReport> {
    const counts = await this.#dependencies.store.enrolments.counts(SIGNING_PROFILES);
    return { ...counts, policy: await this.#currentPolicy() };
  }

  /** Sets the policy, once whoever has a say in it has said so. */
  async setPolicy(
    change: CustodianRequest<"setEnrolmentPolicy">,
    caller: Caller,
    agreed: () => Promise<void>,
  ): Promise<EnrolmentReport> {
    const { committer, store, now } = this.#dependencies;
    const policy = changedEnrolmentPolicy(await this.#currentPolicy(), change);
    await agreed();
    await committer.submit({ entries: [installationEntry(now(), "enrolment-policy-changed", caller.name, policy)] });
    await store.enrolments.setPolicy(policy);
    this.#policy = policy;
    return this.report();
  }

  /** Plans what the policy asks for. To be called every few seconds. */
  async sweep(): Promise<void> {
    const { now } = this.#dependencies;
    this.#queue.sweep();
    if (now() - this.#lookedAt < POLICY_MILLISECONDS) return;
    this.#lookedAt = now();
    await this.#plan("first", [], "policy", MOST_PLANNED_AT_A_LOOK);
    await this.#plan("renewal", [], "policy", MOST_PLANNED_AT_A_LOOK);
  }

  async #plan(cause: EnrolmentCause, meters: readonly string[], plannedBy: string, limit: number): Promise<number> {
    const { committer, store, now } = this.#dependencies;
    const { renewAfterDays, renewBeforeDays } = await this.#currentPolicy();
    const at = now();
    const planned = await store.enrolments.plan({
      meters,
      cause,
      profiles: SIGNING_PROFILES,
      enrolledBefore: at - renewAfterDays * DAY_MILLISECONDS,
      endingBefore: at + renewBeforeDays * DAY_MILLISECONDS,
      risk: CAUSE_RISK[cause],
      plannedBy,
      at,
      limit,
    });
    if (planned > 0)
      await committer.submit({ entries: [installationEntry(at, "enrolments-planned", plannedBy, { cause, planned })] });
    return planned;
  }

  async #currentPolicy(): Promise<EnrolmentPolicy> {
    this.#policy ??= (await this.#dependencies.store.enrolments.policy()) ?? DEFAULT_ENROLMENT_POLICY;
    return this.#policy;
  }
}

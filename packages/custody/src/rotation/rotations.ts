import {
  type ChangeKeyState,
  type CustodianRequest,
  type CustodianResponse,
  KEY_PURPOSES,
  type KeyLifeReport,
  type KeyPolicyChange,
  MAX_PAGE_COMPROMISED,
  MAX_PAGE_EXPOSED,
  MAX_PAGE_ROTATIONS,
  type PlanRotations,
  TRANSFERABLE_PURPOSES,
} from "@meterkeep/api/custodian";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { CustodyError } from "../errors.ts";
import { weakness } from "../keys/key-hygiene.ts";
import { changedPolicy, DEFAULT_KEY_POLICY, type KeyPolicy } from "../keys/key-policy.ts";
import { stateChange } from "../keys/key-state-change.ts";
import { mayBecome, stateAfter } from "../keys/key-transition.ts";
import { purposeName } from "../keys/purposes.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Committer } from "../store/committer.ts";
import {
  CHILD,
  FIRST_SETUP,
  isNamed,
  type KeyRecord,
  type MeterFile,
  PURPOSE,
  type Purpose,
  type PurposeNumber,
  type RotationRecord,
} from "../store/records.ts";
import { ALL_PURPOSES, CAUSE_RISK, WITHOUT_MASTER } from "../store/rotation-cause.ts";
import type { CustodyStore, GoneKey } from "../store/store.ts";
import { isInService, journalOf } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";
import { compromised } from "./compromise.ts";
import { ContactQueue, type Taking } from "./contact-queue.ts";
import { exposedIn, planRepeats, type RepeatDependencies } from "./repeats.ts";
import { UnbegunSetups } from "./unbegun-setups.ts";
import { rotationStateOf } from "./view.ts";

/** How often policies are looked at, and how many rotations one look may plan. */
const POLICY_MILLISECONDS = 600_000;
const MOST_PLANNED_AT_A_LOOK = 5000;
const MOST_DESTROYED_AT_A_LOOK = 200;
const GONE_PAGE = 200;
/** Of keys that have gone; many of them may have to stay, and cost a look each time all the same. */
const MOST_PAGES_AT_A_LOOK = 20;
const HYGIENE_PAGE = 100;

/** What rotations are planned with. */
export interface RotationDependencies {
  readonly store: Pick<CustodyStore, "rotations" | "meterCount">;
  readonly files: CheckedFiles;
  readonly committer: Committer;
  readonly vault: Vault;
  readonly now: () => number;
  /** Holds keys of meters that push: those that change are forgotten at once. */
  readonly keyCache: { forget(systemTitle: string): void };
  readonly canAgree: RepeatDependencies["canAgree"];
}

/**
 * The life of keys beside their change: who is due, in which order and at which rate; what people ask for; what is
 * destroyed when its time is over. What changes keys is the machine of takeover (ADR 0015).
 */
export class Rotations {
  readonly #dependencies: RotationDependencies;
  readonly #queue: ContactQueue;
  readonly #unbegun: UnbegunSetups;
  #policy: KeyPolicy | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** How far what has gone was looked through: the next look goes on behind it, or begins anew. */
  #lookedTo: GoneKey | undefined;

  constructor(dependencies: RotationDependencies) {
    this.#dependencies = dependencies;
    this.#queue = new ContactQueue(dependencies.store.rotations, dependencies.now);
    this.#unbegun = new UnbegunSetups(dependencies);
  }

  /** New keys in each security setup of meters that has been taken over. */
  plan(request: PlanRotations, caller: Caller): Promise<CustodianResponse<"planRotations">> {
    return this.#plan(request, "each", caller);
  }

  async #plan(
    request: PlanRotations,
    setups: number | "each",
    caller: Caller,
  ): Promise<CustodianResponse<"planRotations">> {
    const { committer, store, now } = this.#dependencies;
    const { cause, reason, grade } = request;
    const named = request.purposes.map((name) => TRANSFERABLE_PURPOSES.indexOf(name) as Purpose);
    const purposes = named.length > 0 ? named : cause === "compromise" ? WITHOUT_MASTER : ALL_PURPOSES;
    const asked = {
      cause,
      reason,
      purposes: purposes.map(purposeName),
      meters: request.meters.length,
      madeBefore: request.madeBefore,
      grade,
    };
    await committer.submit({ entries: [installationEntry(now(), "rotations-asked", caller.name, asked)] });
    const titles = request.meters.map(systemTitleText);
    if (grade !== undefined) {
      const repeats = await planRepeats(this.#dependencies, titles, caller.name);
      const said = { cause, grade, ...repeats };
      await committer.submit({ entries: [installationEntry(now(), "rotations-planned", caller.name, said)] });
      return repeats;
    }
    const planOf = (meters: readonly string[], madeBefore: number | undefined) =>
      store.rotations.plan({
        meters,
        setups,
        madeBefore,
        countAbove: undefined,
        purposes,
        cause,
        risk: CAUSE_RISK[cause],
        plannedBy: caller.name,
        at: now(),
        limit: Number.MAX_SAFE_INTEGER,
      });
    let planned = 0;
    let marked: number | undefined;
    if (cause === "compromise") {
      const scope = { titles, setups, madeBefore: request.madeBefore, purposes };
      for await (const page of compromised(this.#dependencies, scope, caller, reason)) {
        marked = (marked ?? 0) + page.marked;
        // What was made before a time is not active any more.
        planned += await planOf(page.meters, undefined);
      }
    } else planned = await planOf(titles, request.madeBefore);
    await committer.submit({
      entries: [installationEntry(now(), "rotations-planned", caller.name, { cause, planned, marked })],
    });
    const wanted = request.meters.length === 0 ? await store.meterCount() : request.meters.length;
    return { planned, asked: wanted, ...(marked !== undefined && { marked }) };
  }

  /** A page of meters whose takeover is graded exposed, and how each is repeated. */
  async exposed({ after }: CustodianRequest<"exposedMeters">): Promise<CustodianResponse<"exposedMeters">> {
    const { files, canAgree } = this.#dependencies;
    const page = await files.nextPage([], after && systemTitleText(after), MAX_PAGE_EXPOSED);
    const next = page.last === undefined ? {} : { next: systemTitle(fromHex(page.last)) };
    return { meters: await exposedIn(page, canAgree), ...next };
  }

  async states(request: CustodianRequest<"rotationStates">): Promise<CustodianResponse<"rotationStates">> {
    const { files, store } = this.#dependencies;
    const { filter } = request;
    const after = request.after && systemTitleText(request.after);
    const titles =
      request.meters.length > 0
        ? request.meters.map(systemTitleText)
        : await store.rotations.titles(filter === "unknown" ? "open" : filter, after, MAX_PAGE_ROTATIONS);
    if (titles.length === 0) return { states: [] };
    const page = await files.loadPage(titles, undefined, MAX_PAGE_ROTATIONS);
    const isWanted = ({ endedAt }: RotationRecord) =>
      request.meters.length > 0 || filter !== "open" || endedAt === undefined;
    const states = page.flatMap((file) =>
      file.rotations
        .filter(isWanted)
        .sort((one, other) => one.setup - other.setup)
        .flatMap(({ setup }) => rotationStateOf(file, setup) ?? []),
    );
    return { states: filter === "unknown" ? states.filter(({ phase }) => phase === "unknown") : states };
  }

  /** Whose turn it is, of those that are not resting for who asks. */
  async due(
    { limit }: CustodianRequest<"contactsDue">,
    taking: Pick<Taking, "isResting" | "asker">,
  ): Promise<CustodianResponse<"contactsDue">> {
    const { perHour } = await this.#keyPolicy();
    const titles = await this.#queue.take(Math.min(limit, 1000), perHour, taking);
    return { meters: titles.map((title) => systemTitle(fromHex(title))) };
  }

  /** A meter wants its next contact so much later. */
  rest(title: string, milliseconds: number): void {
    this.#queue.rest(title, milliseconds);
  }

  async report(): Promise<KeyLifeReport> {
    const { store, now } = this.#dependencies;
    const policy = await this.#keyPolicy();
    const [counts, meters] = await Promise.all([
      store.rotations.counts(now() - policy.cryptoPeriodDays * DAY_MILLISECONDS),
      store.meterCount(),
    ]);
    return { ...counts, meters, policy };
  }

  /** Sets the policy, once whoever has a say in it has said so. */
  async setPolicy(change: KeyPolicyChange, caller: Caller, agreed: () => Promise<void>): Promise<KeyLifeReport> {
    const { committer, store, now } = this.#dependencies;
    const policy = changedPolicy(await this.#keyPolicy(), change);
    await agreed();
    await committer.submit({ entries: [installationEntry(now(), "key-policy-changed", caller.name, policy)] });
    await store.rotations.setPolicy(policy);
    this.#policy = policy;
    return this.report();
  }

  /**
   * Suspends, resumes, compromises or destroys one key, once whoever has a say in it has said so. A key that is compromised
   * gets a successor by itself.
   */
  async change(
    { meter, purpose, version, client, setup, command, reason }: ChangeKeyState,
    caller: Caller,
    agreed: () => Promise<void>,
  ): Promise<void> {
    const { committer, files, now, keyCache } = this.#dependencies;
    const title = systemTitleText(meter);
    const file = await files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    const number = KEY_PURPOSES.indexOf(purpose);
    if (setup !== undefined && number > PURPOSE.KEK)
      throw new CallRefusal("key-unknown", `a ${purpose} is of a client or a device, and of no security setup`);
    const name = { purpose: number as PurposeNumber, version, client, setup };
    const fitting = file.keys.filter((one) => isNamed(one, name));
    if (fitting.length > 1)
      throw new CallRefusal("key-unknown", `meter ${title} has several clients with a ${purpose}: name the client`);
    const [key] = fitting;
    if (key === undefined)
      throw new CallRefusal(
        "key-unknown",
        `meter ${title} has no ${purpose} of version ${version}${setup === undefined ? "" : ` in security setup ${setup}`}`,
      );
    const to = stateAfter(command, key.state);
    if (!mayBecome(key.state, to))
      throw new CallRefusal("key-transition-refused", `a key that is ${key.state} does not become ${to}`);
    if (command === "destroy" && isBelieved(file, key))
      throw new CallRefusal("key-transition-refused", `the ${purpose} may be on meter ${title}: it is kept`);
    await agreed();
    await committer.submit(stateChange([key], to, caller.name, now(), reason)).catch((error: unknown) => {
      throw error instanceof CustodyError && error.code === "custody-write-conflict"
        ? new CallRefusal("key-transition-refused", error.message, { cause: error })
        : error;
    });
    keyCache.forget(title);
    if (command !== "compromise" || !isBelieved(file, key)) return;
    // A master has carried the others; these, in the wrong hands, do not open it, and it stays beyond doubt.
    const purposes = number === PURPOSE.KEK ? TRANSFERABLE_PURPOSES : [];
    const lost = { meters: [meter], madeBefore: undefined, purposes, cause: "compromise", reason } as const;
    await this.#plan(lost, number <= PURPOSE.KEK ? key.setup : FIRST_SETUP, caller);
  }

  /** Which meters have lost a key since somebody asked last. */
  async compromisedSince({
    at,
    meter,
  }: CustodianRequest<"compromisedSince">): Promise<CustodianResponse<"compromisedSince">> {
    const after = meter === undefined ? "" : systemTitleText(meter);
    const found = await this.#dependencies.store.rotations.compromised(at, after, MAX_PAGE_COMPROMISED);
    const meters = [...new Set(found.map((one) => one.systemTitle))].map((title) => systemTitle(fromHex(title)));
    const last = found.at(-1);
    return last === undefined
      ? { meters, at, ...(meter && { meter }) }
      : { meters, at: last.at, meter: systemTitle(fromHex(last.systemTitle)) };
  }

  /** Looks through a page of meters for keys that are weaker than they look. */
  async hygiene({ after }: CustodianRequest<"keyHygiene">, caller: Caller): Promise<CustodianResponse<"keyHygiene">> {
    const { committer, files, vault, now } = this.#dependencies;
    const { files: page, last } = await files.nextPage([], after && systemTitleText(after), HYGIENE_PAGE);
    await committer.submit({
      entries: [installationEntry(now(), "key-hygiene-checked", caller.name, { meters: page.length, last })],
    });
    const held = page.flatMap(({ keys }) => keys.filter(({ sealed }) => sealed.length > 0));
    const placed = held.map((key) => ({
      place: { ...key, systemTitle: fromHex(key.systemTitle) },
      sealed: key.sealed,
    }));
    const secrets = await vault.unseal(placed);
    const findings = held.flatMap((key, at) => {
      using secret = secrets[at];
      const why = secret && weakness(secret, key.purpose);
      const purpose = purposeName(key.purpose);
      const meter = systemTitle(fromHex(key.systemTitle));
      return why === undefined
        ? []
        : [{ meter, purpose, version: key.version, message: `The ${purpose}${ofFurther(key)} ${why}.` }];
    });
    const next = last === undefined ? {} : { next: systemTitle(fromHex(last)) };
    return { findings: findings.slice(0, 1000), ...next };
  }

  /** Plans what policies ask for, destroys what has been kept long enough, and looks for what nobody has begun. To be called every few seconds. */
  async sweep(): Promise<void> {
    const { now } = this.#dependencies;
    this.#queue.sweep();
    if (now() - this.#lookedAt < POLICY_MILLISECONDS) return;
    this.#lookedAt = now();
    const { cryptoPeriodDays, countLimit, retainDays } = await this.#keyPolicy();
    await this.#planBy("age", { madeBefore: now() - cryptoPeriodDays * DAY_MILLISECONDS, countAbove: undefined });
    await this.#planBy("count", { madeBefore: undefined, countAbove: countLimit });
    await this.#destroyBefore(now() - retainDays * DAY_MILLISECONDS);
    this.#queue.want(await this.#unbegun.next());
  }

  async #planBy(
    cause: "age" | "count",
    which: { readonly madeBefore: number | undefined; readonly countAbove: number | undefined },
  ): Promise<void> {
    const { committer, store, now } = this.#dependencies;
    const planned = await store.rotations.plan({
      meters: [],
      setups: "each",
      ...which,
      purposes: ALL_PURPOSES,
      cause,
      risk: CAUSE_RISK[cause],
      plannedBy: "policy",
      at: now(),
      limit: MOST_PLANNED_AT_A_LOOK,
    });
    if (planned > 0)
      await committer.submit({
        entries: [installationEntry(now(), "rotations-planned", "policy", { cause, planned })],
      });
  }

  /** What stays, since it may be on its meter or nothing follows it, keeps nothing behind it from being destroyed. */
  async #destroyBefore(before: number): Promise<void> {
    const { store } = this.#dependencies;
    let destroyed = 0;
    for (let page = 0; page < MOST_PAGES_AT_A_LOOK && destroyed < MOST_DESTROYED_AT_A_LOOK; page += 1) {
      const gone = await store.rotations.gone(before, GONE_PAGE, this.#lookedTo);
      if (gone.length > 0) destroyed += await this.#destroy(gone);
      this.#lookedTo = gone.at(-1);
      if (this.#lookedTo === undefined) return;
    }
  }

  /** @returns how many it has destroyed */
  async #destroy(gone: readonly GoneKey[]): Promise<number> {
    const { committer, files, now } = this.#dependencies;
    const titles = [...new Set(gone.map((key) => key.systemTitle))];
    let destroyed = 0;
    for (const file of await files.loadPage(titles, undefined, titles.length))
      for (const key of file.keys) {
        const isGone = gone.some(
          (one) =>
            one.systemTitle === key.systemTitle &&
            one.setup === key.setup &&
            one.purpose === key.purpose &&
            one.version === key.version,
        );
        // Of a meter that has left what was made and never used goes with the others.
        const goesAlong = !isInService(file.meter) && key.state === "pre-activation";
        if (!(isGone || goesAlong) || isBelieved(file, key)) continue;
        const to = stateAfter("destroy", key.state);
        try {
          await committer.submit(stateChange([key], to, "policy", now(), "kept long enough"));
          destroyed += 1;
        } catch (error) {
          // It has no successor yet: it stays.
          if (!(error instanceof CustodyError && error.code === "custody-write-conflict")) throw error;
        }
      }
    return destroyed;
  }

  async #keyPolicy(): Promise<KeyPolicy> {
    this.#policy ??= (await this.#dependencies.store.rotations.policy()) ?? DEFAULT_KEY_POLICY;
    return this.#policy;
  }
}

/** Which security setup a key is of, where that is not the first. */
function ofFurther({ purpose, setup }: KeyRecord): string {
  return purpose <= PURPOSE.KEK && setup !== FIRST_SETUP ? ` of security setup ${setup}` : "";
}

/** Whether a key may be on its meter, or was there when the change began that is under way. */
function isBelieved(file: MeterFile, { purpose, version, setup }: KeyRecord): boolean {
  if (!isInService(file.meter)) return false;
  const { journal } = journalOf(file, purpose > 3 ? 0 : setup);
  if (purpose > 3) {
    if (purpose === CHILD.default) return true;
    if (purpose === CHILD.key)
      return journal.children?.find(({ channel }) => channel === setup)?.belief.includes(version) ?? true;
    const secret = journal.secrets?.find((one) => one.purpose === purpose && one.client === setup);
    return (
      secret === undefined || secret.belief.includes(version) || (secret.state !== "settled" && secret.old === version)
    );
  }
  return journal.belief[purpose as Purpose].includes(version);
}

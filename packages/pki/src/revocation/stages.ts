import { toHex } from "@meterkeep/dlms";
import type { Authorities } from "../authority/authorities.ts";
import type { AuthorityDependencies } from "../authority/orders.ts";
import { PkiError } from "../errors.ts";
import { type PkiStore, REVOCATION_STAGES, type RevocationPlan } from "../registry/pki-store.ts";
import type { AuthorityRecord, Extent } from "../registry/registry.ts";
import { decodeCertificate } from "../x509/certificate.ts";
import type { RevocationReason } from "./reasons.ts";

const HOUR_MS = 3_600_000;
/** Certificates that are revoked, and meters that are planned for, together. */
const BATCH = 500;
/** How far back the pace of enrolment is measured. */
const PACE_MS = 30 * 24 * HOUR_MS;
/** Orders closer together than this say nothing about a pace. */
const SHORTEST_SPAN_MS = 60_000;

/** What revoking an authority would do, before anybody does it. */
export interface RevocationEffect {
  readonly authority: AuthorityRecord;
  /** It and every authority below it. */
  readonly authorities: readonly string[];
  /** Valid certificates and their meters, by island. */
  readonly extent: readonly Extent[];
  readonly meters: number;
  readonly certificates: number;
  /** Certificates of devices an hour, as measured in the last 30 days; undefined where there were too few to say. */
  readonly perHour: number | undefined;
  /** What issuing them anew would take at that pace. */
  readonly hours: number | undefined;
}

/** What a person may do with a revocation that is under way. */
export const REVOCATION_MOVES = ["start", "stop", "next", "lift"] as const;
export type RevocationMove = (typeof REVOCATION_MOVES)[number];

/** What revocations in stages work with. */
export interface StageDependencies extends Pick<AuthorityDependencies, "now"> {
  readonly store: PkiStore;
  readonly authorities: Authorities;
  /** To the ledger: what a person decided, before it is done. */
  readonly record: (kind: string, principal: string, body: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly newId: () => string;
}

/**
 * Revokes an authority in stages, since what it certified does not notice: a meter looks at neither dates nor lists.
 *
 * Stages: *refuse* (the platform takes its certificates no more: they are revoked, batch by batch), *remove* (certificates
 * of clients are removed from its meters, each by a contact of its own), *cut* (its islands are cut). In each the plan is
 * *planned*, *running*, *stopped* or *done*; a person moves it, `work` does the next batch, and whatever a dying process
 * left is found again in what is stored. From the moment it is planned the authority issues nothing.
 */
export class StagedRevocations {
  readonly #deps: StageDependencies;

  constructor(dependencies: StageDependencies) {
    this.#deps = dependencies;
  }

  /** What it would do: nothing is changed. @throws PkiError `authority-unknown` */
  async effect(authority: string): Promise<RevocationEffect> {
    const { store, authorities, now } = this.#deps;
    const record = await authorities.recordOf(authority);
    const below = await this.below(authority);
    const at = now();
    const extent = await store.registry.extent(below, at);
    const meters = extent.reduce((sum, one) => sum + one.meters, 0);
    const certificates = extent.reduce((sum, one) => sum + one.certificates, 0);
    const pace = await store.registry.devicePace(at - PACE_MS);
    const span = pace.last - pace.first;
    const perHour = pace.count < 2 || span < SHORTEST_SPAN_MS ? undefined : (pace.count * HOUR_MS) / span;
    const hours = perHour === undefined ? undefined : certificates / perHour;
    return { authority: record, authorities: below, extent, meters, certificates, perHour, hours };
  }

  /** Plans it: the authority issues nothing from now on. @throws PkiError `authority-unknown`, `revocation-refused` */
  async plan(authority: string, reason: RevocationReason, principal: string): Promise<RevocationPlan> {
    const { store, record, now, newId } = this.#deps;
    const { meters, certificates } = await this.effect(authority);
    const open = (await store.plans.list()).find((one) => one.authority === authority && !isOver(one));
    if (open !== undefined) throw new PkiError("revocation-refused", `revocation ${open.id} of this authority is open`);
    const id = newId();
    await record("revocation-planned", principal, { plan: id, authority, reason, meters, certificates });
    const plan: RevocationPlan = {
      id,
      authority,
      reason,
      plannedBy: principal,
      plannedAt: now(),
      stage: "refuse",
      state: "planned",
      meters,
      finished: 0,
    };
    await store.plans.add(plan);
    await this.#planRemovals(plan);
    return plan;
  }

  /**
   * Starts, stops or resumes the stage, goes to the next one, or lifts the cut of islands.
   *
   * @throws PkiError `revocation-refused` where the plan does not stand where that begins
   */
  async move(id: string, move: RevocationMove, principal: string): Promise<RevocationPlan> {
    const { store, record, now } = this.#deps;
    const plan = await this.#planOf(id);
    const to = requireMoved(plan, move);
    await record("revocation-moved", principal, { plan: id, move, stage: to.stage, state: to.state });
    if (move === "lift") await store.plans.lift(id, now());
    else if (!(await store.plans.move(id, plan, to)))
      throw new PkiError("revocation-refused", `revocation ${id} has just been moved by somebody else`);
    return { ...plan, ...to };
  }

  /** The stage that a move leads to. @throws PkiError `revocation-refused` where the plan does not stand where that begins */
  async stageAfter(id: string, move: RevocationMove): Promise<string> {
    const plan = await this.#planOf(id);
    return requireMoved(plan, move).stage;
  }

  /** Does the next batch of every plan that runs; true while there is more. To be called again and again. */
  async work(): Promise<boolean> {
    let isMore = false;
    for (const plan of await this.list()) {
      if (plan.state !== "running") continue;
      const { isDone, finished } = await this.#batch(plan);
      isMore ||= !isDone && plan.stage !== "remove";
      await this.#deps.store.plans.move(plan.id, plan, {
        stage: plan.stage,
        state: isDone ? "done" : "running",
        finished,
      });
    }
    return isMore;
  }

  list(): Promise<readonly RevocationPlan[]> {
    return this.#deps.store.plans.list();
  }

  /** Why none of these authorities issues, where that is so. */
  async heldBy(authorities: readonly string[]): Promise<string | undefined> {
    const plan = (await this.list()).find(({ authority }) => authorities.includes(authority));
    return plan && `${plan.plannedBy} is revoking it (revocation ${plan.id}, ${plan.reason})`;
  }

  /** An authority and every one below it. */
  async below(authority: string): Promise<readonly string[]> {
    const all = await this.#deps.authorities.all();
    const found = [authority];
    for (const one of found) found.push(...all.filter(({ parent }) => parent === one).map((child) => child.authority));
    return found;
  }

  async #batch(plan: RevocationPlan): Promise<{ readonly isDone: boolean; readonly finished: number }> {
    const { store, now } = this.#deps;
    if (plan.stage === "refuse") return this.#refuse(plan);
    if (plan.stage === "remove") {
      const open = await store.plans.openRemovals(plan.id);
      return { isDone: open === 0, finished: plan.meters - open };
    }
    const places = new Map<string, { readonly utility: string; readonly island: string }>();
    for (const authority of await this.below(plan.authority)) {
      const { utility, island } = await this.#deps.authorities.recordOf(authority);
      if (island !== "*") places.set(JSON.stringify([utility, island]), { utility, island });
    }
    await store.plans.cut(plan.id, [...places.values()], now());
    return { isDone: true, finished: places.size };
  }

  /** A row for each meter that holds one of its certificates; those that are there stay. */
  async #planRemovals({ id, authority }: RevocationPlan): Promise<void> {
    const { store } = this.#deps;
    const authorities = await this.below(authority);
    for (let after: string | undefined; ; ) {
      const page = await store.registry.meters(authorities, after, BATCH);
      await store.plans.addRemovals(id, page);
      after = page.at(-1)?.systemTitle;
      if (page.length < BATCH) return;
    }
  }

  /** First the authority itself falls, where the one above it can say so; then each of its certificates, for those who look no further. */
  async #refuse(plan: RevocationPlan): Promise<{ readonly isDone: boolean; readonly finished: number }> {
    const { store, authorities, now } = this.#deps;
    // Whose process died while it was planned: once its certificates are revoked nobody knows whose they were.
    if (plan.finished === 0) await this.#planRemovals(plan);
    const { parent, certificate } = await authorities.recordOf(plan.authority);
    const reason = plan.reason as RevocationReason;
    if (parent !== undefined)
      await authorities.revoke(parent, toHex(decodeCertificate(certificate).serial), reason, plan.plannedBy);
    for (const authority of await this.below(plan.authority)) {
      const page = await store.registry.search({ authority, state: "valid", limit: BATCH }, now());
      if (page.length === 0) continue;
      const serials = page.map(({ serial }) => serial);
      const revoked = await authorities.revokeAll(authority, serials, reason, plan.plannedBy);
      return { isDone: false, finished: plan.finished + revoked };
    }
    return { isDone: true, finished: plan.finished };
  }

  async #planOf(id: string): Promise<RevocationPlan> {
    const plan = (await this.list()).find((one) => one.id === id);
    if (plan === undefined) throw new PkiError("revocation-refused", `there is no revocation ${id}`);
    return plan;
  }
}

function isOver({ stage, state }: RevocationPlan): boolean {
  return stage === "cut" && state === "done";
}

type Place = Pick<RevocationPlan, "stage" | "state" | "finished">;

function requireMoved(plan: RevocationPlan, move: RevocationMove): Place {
  const to = moved(plan, move);
  if (to !== undefined) return to;
  const where = `revocation ${plan.id} is at ${plan.stage}, ${plan.state}`;
  throw new PkiError("revocation-refused", `${where}: it cannot ${move}`);
}

function moved(plan: RevocationPlan, move: RevocationMove): Place | undefined {
  const { stage, state, finished } = plan;
  switch (move) {
    case "start":
      return state === "planned" || state === "stopped" ? { stage, state: "running", finished } : undefined;
    case "stop":
      return state === "running" ? { stage, state: "stopped", finished } : undefined;
    case "next": {
      const next = REVOCATION_STAGES[REVOCATION_STAGES.indexOf(stage) + 1];
      // Meters that cannot be reached must not keep an island from being cut.
      const mayGo = state === "done" || (stage === "remove" && state !== "planned");
      return next !== undefined && mayGo ? { stage: next, state: "running", finished: 0 } : undefined;
    }
    case "lift":
      return isOver(plan) ? { stage, state, finished } : undefined;
    default:
      return move satisfies never;
  }
}

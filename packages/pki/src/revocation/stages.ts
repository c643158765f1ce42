import { Turn, toHex } from "@meterkeep/dlms";
import type { Authorities } from "../authority/authorities.ts";
import type { LedgeredOrders } from "../authority/ledgered-orders.ts";
import type { AuthorityDependencies } from "../authority/orders.ts";
import { PkiError } from "../errors.ts";
import { isAgainstAuthority, isOver, type PkiStore, type RevocationPlan } from "../registry/pki-store.ts";
import type { AuthorityRecord, Extent } from "../registry/registry.ts";
import { decodeCertificate } from "../x509/certificate.ts";
import { type RevocationMove, requireMoved } from "./plan-moves.ts";
import { type RevocationReason, requireRevoking } from "./reasons.ts";
import { RefuseStage } from "./refuse-stage.ts";

/** The kind of the entry for a meter that a revocation has freed. */
export const CERTIFICATES_REMOVED = "certificates-removed";

/** Orders that are looked at together for the meters that they are about. */
const BATCH = 500;

/** What is revoked: an authority with everything below it, or one certificate of it. */
export type RevocationSubject = Pick<RevocationPlan, "authority"> & Partial<Pick<RevocationPlan, "serial">>;

/** What revoking would do, before anybody does it. */
export interface RevocationEffect {
  readonly authority: AuthorityRecord;
  /** It and every authority below it. */
  readonly authorities: readonly string[];
  /** Valid certificates and their meters, by island. */
  readonly extent: readonly Extent[];
  readonly meters: number;
  readonly certificates: number;
  /** Meters enrolled an hour, as measured; undefined where there were too few to say. */
  readonly perHour: number | undefined;
  /** What enrolling its meters anew would take at that pace. */
  readonly hours: number | undefined;
}

/** What revocations in stages work with. */
export interface StageDependencies extends Pick<AuthorityDependencies, "now"> {
  readonly store: PkiStore;
  readonly authorities: Authorities;
  /** To the ledger: what a person decided, before it is done. */
  readonly record: (kind: string, principal: string, body: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly newId: () => string;
  /** Meters that are enrolled an hour, as measured; undefined where there were too few to say. */
  readonly pace: () => Promise<number | undefined>;
  /** What was ever ordered, whatever became of its row. */
  readonly orders: Pick<LedgeredOrders, "page">;
}

/** Certificates that a meter is to lose, and the revocation that says so. */
export interface OpenRemoval {
  readonly plan: string;
  /** Those of the serial numbers asked about that it still has to lose. */
  readonly held: readonly string[];
}

/**
 * Revokes an authority, or one certificate, in stages, since a meter does not notice: it looks at neither dates nor lists.
 *
 * Stages: *refuse* (the platform takes its certificates no more: they are revoked, batch by batch), *remove* (certificates
 * are removed from its meters, each by a contact of its own, and the stage ends by itself when none is left), *cut* (its
 * islands are cut; not for one certificate). In each the plan is
 * *planned*, *running*, *stopped* or *done*, or *withdrawn* before it has begun; a person moves it, `work` does the next batch, and whatever a dying process
 * left is found again in what is stored. An authority issues nothing from the moment it is planned for, unless the plan is
 * withdrawn.
 */
export class StagedRevocations {
  readonly #deps: StageDependencies;
  readonly #refuse: RefuseStage;
  /** Plans of which this process has looked for the meters. */
  readonly #planned = new Set<string>();
  /** One at a time: who comes second is judged by what the first has done, and the ledger has no move that was not made. */
  readonly #turn = new Turn();

  constructor(dependencies: StageDependencies) {
    this.#deps = dependencies;
    this.#refuse = new RefuseStage({ ...dependencies, registry: dependencies.store.registry });
  }

  /**
   * What it would do: nothing is changed.
   *
   * @throws PkiError `authority-unknown`, `certificate-unknown`, `revocation-refused` for the certificate of an authority
   */
  async effect({ authority, serial }: RevocationSubject): Promise<RevocationEffect> {
    const { store, authorities, now, pace } = this.#deps;
    const record = await authorities.recordOf(authority);
    await this.#requireNoAuthority({ authority, serial });
    const below = serial === undefined ? await this.below(authority) : [];
    const extent = await store.registry.extent(await this.concerned({ authority, serial }), now());
    const meters = extent.reduce((sum, one) => sum + one.meters, 0);
    const certificates = serial === undefined ? extent.reduce((sum, one) => sum + one.certificates, 0) : 1;
    const perHour = await pace();
    const hours = perHour === undefined ? undefined : meters / perHour;
    return { authority: record, authorities: below, extent, meters, certificates, perHour, hours };
  }

  /**
   * Plans it: an authority issues nothing from now on.
   *
   * @throws PkiError `authority-unknown`, `certificate-unknown`, `revocation-refused`, `request-refused` for the reason that
   * takes an entry back
   */
  async plan(subject: RevocationSubject, reason: RevocationReason, principal: string): Promise<RevocationPlan> {
    requireRevoking(reason);
    return this.#turn.run(() => this.#plan(subject, reason, principal));
  }

  async #plan(subject: RevocationSubject, reason: RevocationReason, principal: string): Promise<RevocationPlan> {
    const { store, record, now, newId } = this.#deps;
    const { authority, serial } = subject;
    const { meters, certificates } = await this.effect(subject);
    const open = (await this.list()).find(
      (one) => one.authority === authority && one.serial === serial && !isOver(one),
    );
    if (open !== undefined) throw new PkiError("revocation-refused", `revocation ${open.id} of the same is open`);
    const id = newId();
    await record("revocation-planned", principal, { plan: id, authority, serial, reason, meters, certificates });
    const plan: RevocationPlan = {
      id,
      authority,
      serial,
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
   * Starts, stops or resumes the stage, goes to the next one, lifts the cut of islands, or takes back what has not begun.
   *
   * @throws PkiError `revocation-refused` where the plan does not stand where that begins
   */
  move(id: string, move: RevocationMove, principal: string): Promise<RevocationPlan> {
    return this.#turn.run(() => this.#move(id, move, principal));
  }

  async #move(id: string, move: RevocationMove, principal: string): Promise<RevocationPlan> {
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
    const failures: unknown[] = [];
    for (const plan of await this.list()) {
      if (plan.state !== "running") continue;
      const { stage } = plan;
      try {
        const { isDone, finished } = await this.#batch(plan);
        isMore ||= !isDone && stage !== "remove";
        await this.#deps.store.plans.move(plan.id, plan, { stage, state: isDone ? "done" : "running", finished });
      } catch (error) {
        // Of an authority that a database from before it does not have, for example: the others go on.
        failures.push(error);
      }
    }
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} revocations cannot go on now`);
    if (failures.length === 1) throw failures[0];
    return isMore;
  }

  list(): Promise<readonly RevocationPlan[]> {
    return this.#deps.store.plans.list();
  }

  /** Why none of these authorities issues, where that is so. */
  async heldBy(authorities: readonly string[]): Promise<string | undefined> {
    const plan = (await this.list()).find((one) => isAgainstAuthority(one) && authorities.includes(one.authority));
    return plan && `${plan.plannedBy} is revoking it (revocation ${plan.id}, ${plan.reason})`;
  }

  /** An authority and every one below it. */
  async below(authority: string): Promise<readonly string[]> {
    const all = await this.#deps.authorities.all();
    const found = [authority];
    for (const one of found) found.push(...all.filter(({ parent }) => parent === one).map((child) => child.authority));
    return found;
  }

  /**
   * What a meter still has to lose of the certificates that it holds, by each revocation that is removing now.
   *
   * @param serials of every certificate that it says it holds and that is not its own, lower-case hex
   */
  async removalsOf(systemTitle: string, serials: readonly string[]): Promise<readonly OpenRemoval[]> {
    const { store } = this.#deps;
    const named = await store.plans.plansOf(systemTitle);
    const removing = (await this.removing()).filter(({ id }) => named.includes(id));
    return Promise.all(removing.map(async (plan) => ({ plan: plan.id, held: await this.#toGo(plan, serials) })));
  }

  /** Revocations that are removing certificates from meters now. */
  async removing(): Promise<readonly RevocationPlan[]> {
    return (await this.list()).filter(({ stage, state }) => stage === "remove" && state === "running");
  }

  /** A meter has lost what it was to lose, or will not: said by what the meter itself said that it holds. */
  async freed(plan: string, systemTitle: string, outcome: string, principal: string): Promise<void> {
    const { store, record, now } = this.#deps;
    await record(CERTIFICATES_REMOVED, principal, { plan, meter: systemTitle, outcome });
    await store.plans.finishRemoval(plan, systemTitle, now(), outcome);
  }

  async #toGo({ authority, serial }: RevocationPlan, serials: readonly string[]): Promise<readonly string[]> {
    if (serial !== undefined) return serials.filter((one) => one === serial);
    const toGo = new Set<string>();
    for (const one of await this.below(authority)) {
      const { certificate } = await this.#deps.authorities.recordOf(one);
      toGo.add(toHex(decodeCertificate(certificate).serial));
      for (const ordered of await this.#deps.authorities.ordered(one, serials)) toGo.add(ordered);
    }
    return serials.filter((one) => toGo.has(one));
  }

  /** Authorities whose meters may hold what is revoked: those below an authority; for one certificate, those of its place. */
  async concerned({ authority, serial }: RevocationSubject): Promise<readonly string[]> {
    if (serial === undefined) return this.below(authority);
    const { authorities } = this.#deps;
    if (!(await authorities.ordered(authority, [serial])).has(serial))
      throw new PkiError("certificate-unknown", `authority ${authority} has issued no certificate ${serial}`);
    const { utility, island } = await authorities.recordOf(authority);
    const isThere = (wanted: string, one: string) => wanted === "*" || one === wanted;
    const all = await authorities.all();
    return all
      .filter((one) => isThere(utility, one.utility) && isThere(island, one.island))
      .map((one) => one.authority);
  }

  /** The certificate of an authority would be counted as one, and all below it would fall at once. */
  async #requireNoAuthority({ authority, serial }: RevocationSubject): Promise<void> {
    const all = await this.#deps.authorities.all();
    const child = all.find(
      (one) => one.parent === authority && toHex(decodeCertificate(one.certificate).serial) === serial,
    );
    if (child !== undefined)
      throw new PkiError(
        "revocation-refused",
        `certificate ${serial} is that of the authority ${child.name}: revoke authority ${child.authority}`,
      );
  }

  async #batch(plan: RevocationPlan): Promise<{ readonly isDone: boolean; readonly finished: number }> {
    const { store, now } = this.#deps;
    if (plan.stage === "refuse") return this.#takeTrust(plan);
    if (plan.stage === "remove") {
      const open = await store.plans.openRemovals(plan.id);
      return { isDone: open === 0, finished: Math.max(0, plan.meters - open) };
    }
    const places = new Map<string, { readonly utility: string; readonly island: string }>();
    for (const authority of await this.below(plan.authority)) {
      const { utility, island } = await this.#deps.authorities.recordOf(authority);
      if (island !== "*") places.set(JSON.stringify([utility, island]), { utility, island });
    }
    await store.plans.cut(plan.id, [...places.values()], now());
    return { isDone: true, finished: places.size };
  }

  /** A row for each meter for which one of its certificates was ordered that stands; those that are there stay. */
  async #planRemovals(plan: RevocationPlan): Promise<void> {
    const { store, authorities, orders } = this.#deps;
    this.#planned.add(plan.id);
    for (const authority of await this.concerned(plan)) {
      const { utility, island } = await authorities.recordOf(authority);
      for (let after: string | undefined; ; ) {
        const page = await orders.page(authority, after, BATCH);
        const titles = new Set<string>();
        for (const { serial, systemTitle } of page)
          if (systemTitle !== undefined && !(await store.registry.isRevoked(authority, serial)))
            titles.add(systemTitle);
        const meters = Array.from(titles, (systemTitle) => ({ systemTitle, utility, island }));
        if (meters.length > 0) await store.plans.addRemovals(plan.id, meters);
        after = page.at(-1)?.serial;
        if (page.length < BATCH) break;
      }
    }
  }

  async #takeTrust(plan: RevocationPlan): Promise<{ readonly isDone: boolean; readonly finished: number }> {
    // Whose process died while it was planned: once its certificates are revoked nobody knows whose they were.
    if (plan.finished === 0 && !this.#planned.has(plan.id)) await this.#planRemovals(plan);
    if (plan.serial === undefined) return this.#refuse.batch(plan, await this.below(plan.authority));
    const { authority, serial, reason, plannedBy } = plan;
    await this.#deps.authorities.revokeAll(authority, [serial], reason as RevocationReason, plannedBy);
    return { isDone: true, finished: 1 };
  }

  async #planOf(id: string): Promise<RevocationPlan> {
    const plan = (await this.list()).find((one) => one.id === id);
    if (plan === undefined) throw new PkiError("revocation-refused", `there is no revocation ${id}`);
    return plan;
  }
}

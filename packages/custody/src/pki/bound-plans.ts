import { Turn } from "@meterkeep/dlms";
import { isOver, type MeterPlace, PkiError, type RevocationPlan, type RevocationPlans } from "@meterkeep/pki";
import type { PkiLedger } from "./pki-ledger.ts";
import type { Remembered } from "./remembered.ts";
import type { TrustJournal, TrustLine } from "./trust-journal.ts";

/** Meters that are looked for together. */
const PAGE_METERS = 500;

/** What plans are bound with. */
export interface PlanParts {
  readonly plans: RevocationPlans;
  readonly trust: Remembered;
  readonly journal: TrustJournal;
  readonly orders: Pick<PkiLedger, "freed">;
  readonly write: (...lines: readonly TrustLine[]) => Promise<void>;
  /** A row was not believed; said once for each. */
  readonly refuse: (what: string) => Promise<void>;
  readonly now: () => number;
}

/** Plans of which no row is believed: each, and each of its moves, has a line before it has a row. */
export interface BoundPlans extends RevocationPlans {
  /** Gives rows back to plans that lost theirs, and closes those that nobody here has planned. */
  mend(): Promise<void>;
}

/**
 * Revocations as the journal has them. Rows come after: they are what removals hang on, and what another program reads, and
 * the only one that counts is how far a stage has come, for people to see.
 */
export function bindPlans({ plans, trust, journal, orders, write, refuse, now }: PlanParts): BoundPlans {
  const turn = new Turn();
  /** The row of a plan, as the journal has it: whatever was there instead. */
  const mirror = async (plan: RevocationPlan): Promise<void> => {
    const row = (await plans.list()).find(({ id }) => id === plan.id);
    if (row === undefined) await plans.add(plan);
    else if (row.stage !== plan.stage || row.state !== plan.state || row.finished !== plan.finished)
      await plans.move(plan.id, row, plan);
  };
  /** As `mirror`; what stands in the way of a row stands in no plan's. */
  const tryMirror = async (plan: RevocationPlan): Promise<void> => {
    try {
      await mirror(plan);
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      await refuse(`the plan of revocation ${plan.id} has no row: ${error.message}`);
    }
  };
  const requireRow = async (id: string): Promise<void> => {
    const plan = trust.plans.get(id);
    if (plan !== undefined) await tryMirror(plan);
  };
  /** Of which no meter is left, by the journal that has them and the ledger that has who was freed. */
  const freed = new Set<string>();
  /** Opens the removals again of meters that nobody has freed, whatever their rows say; how many those are. */
  const reopen = async (id: string): Promise<number> => {
    let again = 0;
    for await (const line of journal.read(() => undefined)) {
      if (line.kind !== "to-free" || line.plan !== id) continue;
      const { utility, island, meters } = line;
      const gone = await orders.freed(id, meters);
      const left = meters.flatMap((systemTitle) => (gone.has(systemTitle) ? [] : [{ systemTitle, utility, island }]));
      if (left.length === 0) continue;
      await plans.reopenRemovals(id, left);
      again += left.length;
    }
    if (again === 0) freed.add(id);
    else await refuse(`meters that revocation ${id} is to free were taken out of the database`);
    return again;
  };
  const mend = async (): Promise<void> => {
    const rows = await plans.list();
    for (const row of rows) {
      const plan = trust.plans.get(row.id);
      if (plan === undefined) {
        await refuse(`the plan of revocation ${row.id} was put into the database by nobody here`);
        // It would stand in the way of a real one.
        if (!isOver(row)) await plans.move(row.id, row, { ...row, state: "withdrawn" });
        continue;
      }
      if (planText(row) !== planText(plan))
        await refuse(`the plan of revocation ${row.id} was changed in the database`);
      if (row.stage === plan.stage) trust.place(row.id, { finished: counted(row.finished) });
    }
    for (const plan of trust.plans.values()) {
      if (!rows.some(({ id }) => id === plan.id))
        await refuse(`the plan of revocation ${plan.id} was taken out of the database`);
      await tryMirror(plan);
    }
  };
  return {
    ...plans,
    mend: () => turn.run(mend),
    add: (plan) =>
      turn.run(async () => {
        const isSame = (one: RevocationPlan) => one.authority === plan.authority && one.serial === plan.serial;
        for (const one of trust.plans.values())
          if (one.id === plan.id || (isSame(one) && !isOver(one)))
            throw new PkiError("revocation-refused", `revocation ${one.id} of the same is open`);
        await write({ kind: "held", at: plan.plannedAt, plan });
        try {
          await mirror(plan);
        } catch (error) {
          // Somebody has put a row in its place.
          if (!(error instanceof PkiError)) throw error;
          await mend();
        }
      }),
    list: async () =>
      [...trust.plans.values()].sort((one, other) => one.plannedAt - other.plannedAt || (one.id < other.id ? -1 : 1)),
    move: (id, from, { stage, state, finished }) =>
      turn.run(async () => {
        const plan = trust.plans.get(id);
        // Who lost against somebody else has moved nothing: the journal forgets no line.
        if (plan === undefined || plan.stage !== from.stage || plan.state !== from.state) return false;
        if (plan.stage === stage && plan.state === state) trust.place(id, { finished });
        else await write({ kind: "moved", at: now(), plan: id, stage, state, finished });
        await tryMirror({ ...plan, stage, state, finished });
        return true;
      }),
    addRemovals: (id, meters) =>
      turn.run(async () => {
        const lines: TrustLine[] = [];
        for (const all of Map.groupBy(meters, ({ utility, island }) => JSON.stringify([utility, island])).values())
          for (let from = 0; from < all.length; from += PAGE_METERS) {
            const { utility, island } = all[0] as MeterPlace;
            const titles = all.slice(from, from + PAGE_METERS).map(({ systemTitle }) => systemTitle);
            lines.push({ kind: "to-free", at: now(), plan: id, utility, island, meters: titles });
          }
        await write(...lines);
        await requireRow(id);
        await plans.addRemovals(id, meters);
      }),
    openRemovals: async (id) => {
      const open = await plans.openRemovals(id);
      if (open > 0 || freed.has(id) || !trust.freeing.has(id)) return open;
      return turn.run(() => reopen(id));
    },
    cut: (id, places, at) =>
      turn.run(async () => {
        const wanted = places.map(({ utility, island }) => ({ utility, island }));
        await write({ kind: "cut", at, plan: id, places: wanted });
        await requireRow(id);
        await plans.cut(id, wanted, at);
      }),
    lift: (id, at) =>
      turn.run(async () => {
        await write({ kind: "lifted", at, plan: id });
        await plans.lift(id, at);
      }),
    cuts: async () => [...trust.cuts],
  };
}

/** What was planned, and never changes. */
function planText({ authority, serial, reason, plannedBy, plannedAt, meters }: RevocationPlan): string {
  return JSON.stringify([authority, serial ?? null, reason, plannedBy, plannedAt, meters]);
}

/** How far a stage has come, as a row says it: a number of certificates or meters, whatever somebody wrote. */
function counted(finished: number): number {
  return Math.max(0, Math.min(Math.trunc(finished), 0xffff_ffff));
}

import { toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { memoryRegistry } from "./memory-registry.ts";
import {
  type AnswerRecord,
  type AssignmentRecord,
  type CertificateRemoval,
  type EnrolmentPassword,
  type IslandCut,
  isOver,
  type PkiStore,
  type RevocationPlan,
} from "./pki-store.ts";

/** Everything a PKI remembers, in memory: for tests and for ceremonies that keep nothing. */
export function memoryPkiStore(): PkiStore {
  const tables: AssignmentRecord[] = [];
  const passwords = new Map<string, EnrolmentPassword>();
  const plans = new Map<string, RevocationPlan>();
  const removals = new Map<string, CertificateRemoval>();
  const cuts = new Map<string, IslandCut & { liftedAt?: number }>();
  const answers = new Map<string, AnswerRecord>();
  return {
    registry: memoryRegistry(),
    assignments: {
      newest: async () => tables.toSorted((one, other) => other.number - one.number)[0],
      add: async (record) => {
        if (tables.some(({ number }) => number === record.number))
          throw new PkiError("serial-taken", `table ${record.number} was given before`);
        tables.push(record);
      },
    },
    passwords: {
      add: async (password) => {
        passwords.set(toHex(password.hash), password);
      },
      take: async (hash, at) => {
        const found = passwords.get(toHex(hash));
        if (found === undefined || found.usedAt !== undefined || found.endsAt <= at) return undefined;
        const used = { ...found, usedAt: at };
        passwords.set(toHex(hash), used);
        return used;
      },
      giveBack: async (hash) => {
        const found = passwords.get(toHex(hash));
        if (found !== undefined) passwords.set(toHex(hash), { ...found, usedAt: undefined });
      },
    },
    answers: {
      put: async (fresh) => {
        for (const one of fresh) answers.set(`${one.authority}/${one.serial}`, one);
      },
      find: async (authority, serial) => answers.get(`${authority}/${serial}`),
      terms: async (authority, serials) =>
        serials.flatMap((serial) => {
          const found = answers.get(`${authority}/${serial}`);
          return found === undefined ? [] : [{ serial, isRevoked: found.isRevoked, until: found.until }];
        }),
    },
    plans: {
      add: async (plan) => {
        for (const one of plans.values())
          if (one.authority === plan.authority && one.serial === plan.serial && !isOver(one))
            throw new PkiError("revocation-refused", "a revocation of this authority is open");
        plans.set(plan.id, plan);
      },
      list: async () => [...plans.values()].sort((one, other) => one.plannedAt - other.plannedAt),
      move: async (id, from, to) => {
        const plan = plans.get(id);
        if (plan === undefined || plan.stage !== from.stage || plan.state !== from.state) return false;
        plans.set(id, { ...plan, ...to });
        return true;
      },
      addRemovals: async (plan, meters) => {
        for (const meter of meters) {
          const name = `${plan}/${meter.systemTitle}`;
          if (!removals.has(name)) removals.set(name, { ...meter, plan, finishedAt: undefined, outcome: undefined });
        }
      },
      reopenRemovals: async (plan, meters) => {
        for (const meter of meters)
          removals.set(`${plan}/${meter.systemTitle}`, { ...meter, plan, finishedAt: undefined, outcome: undefined });
      },
      removals: async (plan, after = "", limit) =>
        [...removals.values()]
          .filter((one) => one.plan === plan && one.finishedAt === undefined && one.systemTitle > after)
          .sort((one, other) => (one.systemTitle < other.systemTitle ? -1 : 1))
          .slice(0, limit),
      openRemovals: async (plan) =>
        [...removals.values()].filter((one) => one.plan === plan && one.finishedAt === undefined).length,
      plansOf: async (systemTitle) =>
        [...removals.values()]
          .filter((one) => one.systemTitle === systemTitle && one.finishedAt === undefined)
          .map(({ plan }) => plan)
          .sort(),
      finishRemoval: async (plan, systemTitle, at, outcome) => {
        const name = `${plan}/${systemTitle}`;
        const removal = removals.get(name);
        if (removal === undefined || removal.finishedAt !== undefined) return false;
        removals.set(name, { ...removal, finishedAt: at, outcome });
        return true;
      },
      cut: async (plan, places, at) => {
        for (const { utility, island } of places) {
          const name = JSON.stringify([plan, utility, island]);
          if (!cuts.has(name)) cuts.set(name, { plan, utility, island, cutAt: at });
        }
      },
      lift: async (plan, at) => {
        for (const [name, one] of cuts)
          if (one.plan === plan && one.liftedAt === undefined) cuts.set(name, { ...one, liftedAt: at });
      },
      cuts: async () => [...cuts.values()].flatMap(({ liftedAt, ...one }) => (liftedAt === undefined ? [one] : [])),
    },
  };
}

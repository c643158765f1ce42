import { DAY_MILLISECONDS } from "../day.ts";
import type { KeyPolicy } from "../keys/key-policy.ts";
import { closedIn } from "./closed-changes.ts";
import type { Held } from "./memory-held.ts";
import { conflict, setupName } from "./memory-names.ts";
import {
  type CounterRecord,
  FIRST_SETUP,
  type MeterRecord,
  PURPOSE,
  type RotationRecord,
  type SetupPlace,
} from "./records.ts";
import { ALL_PURPOSES, CAUSE_RISK, WITHOUT_MASTER } from "./rotation-cause.ts";
import type { GoneKey, RotationPlan, RotationRecords, Write } from "./store.ts";

type WriteOf<K extends Write["kind"]> = Extract<Write, { kind: K }>;

/** Overwrites a key that has gone. */
export function destroyKey(draft: Held, { place, purpose, version, at }: WriteOf<"destroy-key">): void {
  const name = setupName(place, purpose, version);
  const key = draft.keys.get(name);
  const isGone = key !== undefined && ["pre-activation", "deactivated", "compromised"].includes(key.state);
  const followed = [...draft.keys.values()].some(
    (other) =>
      setupName(other, other.purpose) === setupName(place, purpose) &&
      other.version > version &&
      other.state === "active",
  );
  const hasLeft = draft.meters.get(place.systemTitle)?.standing !== undefined;
  if (!isGone || !(followed || hasLeft))
    throw conflict("only a key that has gone and has an active successor is destroyed");
  const state = key.state === "compromised" ? "destroyed-compromised" : "destroyed";
  draft.keys.set(name, { ...key, state, sealed: new Uint8Array(0) });
  draft.changed.set(name, at);
}

/** A rotation begins, or ends. */
export function markRotation(draft: Held, write: WriteOf<"mark-rotation">): void {
  const name = setupName(write.place, write.rotation);
  const rotation = draft.rotations.get(name);
  if (rotation === undefined || rotation.endedAt !== undefined) throw conflict("a rotation that is over was to go on");
  const { endedAt, outcome } = write;
  draft.rotations.set(name, { ...rotation, begunAt: rotation.begunAt ?? write.begunAt, endedAt, outcome });
}

/** Rotations in memory, by the rules of the database. */
export function rotationsOf(held: () => Held, change: (body: (draft: Held) => void) => void): RotationRecords {
  let policy: KeyPolicy | undefined;
  const all = () => [...held().rotations.values()];
  const titlesOf = (records: readonly RotationRecord[]) =>
    [...new Set(records.map(({ systemTitle }) => systemTitle))].sort();
  return {
    plan: async (plan) => {
      let planned = 0;
      change((draft) => {
        const raised = plan.cause === "compromise" ? waitingFor(draft, plan) : [];
        const fitting = fittingMeters(draft, plan);
        for (const rotation of [...raised, ...fitting])
          draft.rotations.set(setupName(rotation, rotation.rotation), rotation);
        planned = titlesIn([...raised, ...fitting]).length;
      });
      return planned;
    },
    due: async (begun, waiting, resting) => {
      const open = all().filter(({ endedAt }) => endedAt === undefined);
      const unfinished = [...held().takeovers.values()].filter(
        ({ subject, closedAt }) => subject === undefined && closedAt === undefined,
      );
      const first = new Set(titlesIn(unfinished.filter(({ setup }) => setup === FIRST_SETUP)));
      const taken = unfinished
        .filter(({ setup, systemTitle }) => setup !== FIRST_SETUP && !first.has(systemTitle))
        .filter(({ systemTitle }) => held().meters.get(systemTitle)?.standing === undefined)
        .sort((a, b) => a.openedAt - b.openedAt);
      const rests = new Set(resting);
      const awake = (records: readonly { readonly systemTitle: string }[]) =>
        titlesIn(records.filter(({ systemTitle }) => !rests.has(systemTitle))).slice(0, begun);
      const begunOf = new Set([...awake(open.filter(({ begunAt }) => begunAt !== undefined)), ...awake(taken)]);
      const order = (a: RotationRecord, b: RotationRecord) =>
        b.risk - a.risk || a.plannedAt - b.plannedAt || (a.systemTitle < b.systemTitle ? -1 : 1);
      const planned = open
        .filter(({ begunAt }) => begunAt === undefined)
        .sort(order)
        .slice(0, waiting);
      return [...new Set([...begunOf, ...titlesIn(planned)])].map((systemTitle) => {
        const times = planned.flatMap((one) => (one.systemTitle === systemTitle ? one.plannedAt : []));
        const begun = begunOf.has(systemTitle);
        return { systemTitle, begun, ...(times.length > 0 && { plannedAt: Math.max(...times) }) };
      });
    },
    unbegun: async (after, limit) => {
      const { meters, keys, takeovers } = held();
      const page = [...meters.values()]
        .filter(({ standing, systemTitle }) => standing === undefined && systemTitle > (after ?? ""))
        .map(({ systemTitle }) => systemTitle)
        .sort()
        .slice(0, limit);
      const begun = new Set(
        [...takeovers.values()].flatMap((one) => (one.subject === undefined ? `${one.systemTitle}/${one.setup}` : [])),
      );
      const open = titlesIn(
        [...keys.values()].filter(
          ({ systemTitle, setup, purpose }) =>
            setup !== FIRST_SETUP && purpose === PURPOSE.KEK && !begun.has(`${systemTitle}/${setup}`),
        ),
      );
      return {
        titles: page.filter((title) => open.includes(title)),
        last: page.length < limit ? undefined : page.at(-1),
      };
    },
    titles: async (filter, after, limit) => {
      const wanted = all().filter(
        ({ endedAt, outcome }) =>
          filter === "all" || (filter === "open" ? endedAt === undefined : outcome === "failed"),
      );
      return titlesOf(wanted)
        .filter((title) => title > (after ?? ""))
        .slice(0, limit);
    },
    plannedSince: async (plannedBy, cause, at) =>
      all()
        .filter((one) => one.plannedBy === plannedBy && one.cause === cause && one.plannedAt > at)
        .sort((a, b) => a.plannedAt - b.plannedAt || (a.systemTitle < b.systemTitle ? -1 : 1))
        .map(({ systemTitle, plannedAt }) => ({ systemTitle, at: plannedAt })),
    counts: async (madeBefore) => {
      const keys = [...held().keys.values()];
      const active = keys.filter(({ state }) => state === "active");
      const meters = (some: readonly { readonly systemTitle: string }[]) =>
        new Set(some.map(({ systemTitle }) => systemTitle)).size;
      const count = (fits: (rotation: RotationRecord) => boolean) => all().filter(fits).length;
      return {
        planned: count(({ begunAt, endedAt }) => endedAt === undefined && begunAt === undefined),
        underWay: count(({ begunAt, endedAt }) => endedAt === undefined && begunAt !== undefined),
        proven: count(({ outcome }) => outcome === "proven"),
        failed: count(({ outcome }) => outcome === "failed"),
        overdue: meters(active.filter(({ createdAt }) => createdAt < madeBefore)),
        unproven: meters(
          active.filter(({ purpose, provenAt }) => [0, 2, 3].includes(purpose) && provenAt === undefined),
        ),
        compromised: meters(keys.filter(({ state }) => state === "compromised")),
      };
    },
    compromised: async (at, after, limit) =>
      [...held().keys]
        .filter(([, { state }]) => state === "compromised")
        .map(([name, { systemTitle }]) => ({ systemTitle, at: held().changed.get(name) ?? 0 }))
        .filter((one) => one.at > at || (one.at === at && one.systemTitle > after))
        .sort((a, b) => a.at - b.at || (a.systemTitle < b.systemTitle ? -1 : 1))
        .slice(0, limit),
    gone: async (before, limit, after) =>
      [...held().keys]
        .filter(([, { state }]) => state === "deactivated" || state === "compromised")
        .map(([name, { utility, island, systemTitle, setup, purpose, version }]): GoneKey => {
          const goneAt = held().changed.get(name) ?? Number.POSITIVE_INFINITY;
          return { utility, island, systemTitle, setup, purpose, version, goneAt };
        })
        .filter((key) => key.goneAt < before && (after === undefined || inOrderOfGoing(key, after) > 0))
        .sort(inOrderOfGoing)
        .slice(0, limit),
    policy: async () => policy,
    setPolicy: async (changed) => {
      policy = changed;
    },
  };
}

function inOrderOfGoing(one: GoneKey, other: GoneKey): number {
  const byTitle = one.systemTitle < other.systemTitle ? -1 : Number(one.systemTitle > other.systemTitle);
  return (
    one.goneAt - other.goneAt ||
    byTitle ||
    one.setup - other.setup ||
    one.purpose - other.purpose ||
    one.version - other.version
  );
}

/** System titles, each once, in their order. */
function titlesIn(records: readonly { readonly systemTitle: string }[]): readonly string[] {
  return [...new Set(records.map(({ systemTitle }) => systemTitle))];
}

function isOfPlan({ setups = FIRST_SETUP }: Pick<RotationPlan, "setups">, setup: number): boolean {
  return setups === "each" || setups === setup;
}

/** Plans that have not begun, at the risk and for the purposes of a greater cause. */
function waitingFor(held: Held, plan: RotationPlan): RotationRecord[] {
  return [...held.rotations.values()]
    .filter(({ endedAt, begunAt, setup }) => endedAt === undefined && begunAt === undefined && isOfPlan(plan, setup))
    .filter(({ systemTitle }) => plan.meters.length === 0 || plan.meters.includes(systemTitle))
    .filter(({ systemTitle }) => held.meters.get(systemTitle)?.standing === undefined)
    .map((rotation) => ({
      ...rotation,
      cause: plan.cause,
      purposes: [...new Set([...rotation.purposes, ...plan.purposes])].sort(),
      risk: Math.max(rotation.risk, plan.risk + 100 * compromisedOf(held, rotation.systemTitle).length),
      plannedAt: plan.at,
      plannedBy: plan.plannedBy,
    }));
}

/** Plans what a change of keys that is over has left: successors of keys that became compromised meanwhile. */
export function planSuccessors(draft: Held, writes: readonly Write[]): void {
  for (const { systemTitle, setup, at } of closedIn(writes)) {
    const isOwn = (one: { readonly systemTitle: string; readonly setup: number }) =>
      one.systemTitle === systemTitle && one.setup === setup;
    const rotations = [...draft.rotations.values()].filter(isOwn);
    const active = [...draft.keys.values()].filter((one) => isOwn(one) && one.state === "active");
    const lost = compromisedOf(draft, systemTitle).filter(
      ({ name, key: { setup: of, purpose, version } }) =>
        of === setup &&
        purpose <= PURPOSE.KEK &&
        !active.some((one) => one.purpose === purpose && one.version > version) &&
        !rotations.some(
          ({ plannedAt, purposes }) =>
            plannedAt >= (draft.changed.get(name) ?? 0) && (purposes as readonly number[]).includes(purpose),
        ),
    );
    if (lost.length === 0) continue;
    const purposes = lost.some(({ key }) => key.purpose === PURPOSE.KEK) ? ALL_PURPOSES : WITHOUT_MASTER;
    const which = { meters: [systemTitle], setups: setup, madeBefore: undefined, countAbove: undefined };
    const plan = { ...which, purposes, at, limit: 1 };
    const cause = { cause: "compromise", risk: CAUSE_RISK.compromise, plannedBy: "custodian" } as const;
    for (const rotation of fittingMeters(draft, { ...plan, ...cause }))
      draft.rotations.set(setupName(rotation, rotation.rotation), rotation);
  }
}

function compromisedOf(held: Held, systemTitle: string) {
  return [...held.keys]
    .filter(([, key]) => key.systemTitle === systemTitle && key.state === "compromised")
    .map(([name, key]) => ({ name, key }));
}

function fittingMeters(held: Held, plan: RotationPlan): RotationRecord[] {
  const all = [...held.meters.values()]
    .flatMap(({ systemTitle }): RotationRecord[] => {
      const journals = [...held.takeovers.values()].filter((one) => one.systemTitle === systemTitle);
      const setups = new Set(journals.flatMap(({ subject, setup }) => (subject === undefined ? setup : [])));
      return [...setups]
        .filter((setup) => isOfPlan(plan, setup))
        .flatMap((setup) => fitting(held, plan, systemTitle, setup));
    })
    .sort((a, b) => b.risk - a.risk || (a.systemTitle < b.systemTitle ? -1 : 1));
  const { first = [], further = [] } = Object.groupBy(all, ({ setup }) =>
    setup === FIRST_SETUP ? "first" : "further",
  );
  return [...first.slice(0, plan.limit), ...further.slice(0, plan.limit)];
}

function fitting(held: Held, plan: RotationPlan, systemTitle: string, setup: number): RotationRecord[] {
  const meter = held.meters.get(systemTitle) as MeterRecord;
  const { utility, island } = meter;
  const of = <T extends SetupPlace>(records: Iterable<T>) =>
    [...records].filter((one) => one.systemTitle === systemTitle && one.setup === setup);
  const takeovers = of(held.takeovers.values()).filter(({ subject }) => subject === undefined);
  const rotations = of(held.rotations.values());
  const keys = of(held.keys.values());
  const active = keys.filter(({ state }) => state === "active");
  const { madeBefore, countAbove } = plan;
  const fits =
    meter.origin === "shipped" &&
    meter.standing === undefined &&
    (plan.meters.length === 0 || plan.meters.includes(systemTitle)) &&
    takeovers.length > 0 &&
    takeovers.every(({ closedAt }) => closedAt !== undefined) &&
    keys.some(({ purpose, provenAt }) => purpose === PURPOSE.KEK && provenAt !== undefined) &&
    rotations.every(({ endedAt }) => endedAt !== undefined) &&
    (madeBefore === undefined ||
      active.some(({ purpose, createdAt }) => purpose <= PURPOSE.KEK && createdAt < madeBefore)) &&
    (countAbove === undefined || usedUp(of(held.counters.values()), active) > countAbove);
  if (!fits) return [];
  const age = Math.trunc(
    (plan.at - Math.min(plan.at, ...active.map(({ createdAt }) => createdAt))) / DAY_MILLISECONDS / 30,
  );
  const known = compromisedOf(held, systemTitle).length;
  return [
    {
      utility,
      island,
      systemTitle,
      setup,
      rotation: rotations.length + 1,
      cause: plan.cause,
      purposes: plan.purposes,
      risk: plan.risk + (plan.isAgeless === true ? 0 : Math.min(99, age)) + 100 * known,
      plannedAt: plan.at,
      plannedBy: plan.plannedBy,
      begunAt: undefined,
      endedAt: undefined,
      outcome: undefined,
    },
  ];
}

/** Counters used under the unicast key in use. */
function usedUp(
  lines: readonly CounterRecord[],
  active: readonly { readonly purpose: number; readonly version: number }[],
): number {
  const version = active.find(({ purpose }) => purpose === PURPOSE.GUEK)?.version;
  const now = lines.find(({ keyVersion }) => keyVersion === version)?.next ?? 0;
  const before = lines.filter(({ keyVersion }) => keyVersion < (version ?? 0)).map(({ next }) => next);
  return now - Math.max(0, ...before);
}

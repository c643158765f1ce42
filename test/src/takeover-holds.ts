import { type EnrolmentStep, TAKEOVER_STEPS, type TakeoverStep } from "@meterkeep/api/custodian";
import type { MeterTruth, TownControl, TownRequest } from "./town-control.ts";
import { until } from "./until.ts";

/** Steps that happen only when something was lost. */
type OfRecovery = "probe" | "counter-hint" | "release" | "current-keys-association" | "refuse-old-keys" | "done";
/** Steps about what not every meter has: clients without keys of their own, a policy, devices at its M-Bus channels, a signature. */
type OfSomeMeters =
  | "raise-policy"
  | "find-clients"
  | "change-secret"
  | "prove-secret"
  | "refuse-old-secret"
  | "change-child-key"
  | "agree-master"
  // Of leases.
  | "local-session-log";

/** A step that every takeover goes through. Enrolments come after it, and have a simulation of their own. */
export type HeldStep = Exclude<TakeoverStep, OfRecovery | OfSomeMeters | EnrolmentStep>;

/** How many homes of the depot's feeder it takes until both liars are among them: they are the 7th and the 13th. */
const HOMES_WITH_LIARS = 13;
/** Homes of a town whose depot has both liars. */
export const HOMES = 4 * HOMES_WITH_LIARS;

/** A meter that answers late at one step of its takeover, so that something can happen there. */
export interface Hold {
  readonly meter: string;
  readonly step: HeldStep;
  readonly path: "wan" | "depot";
  readonly profile: string;
}

/** Which request it is whose answer comes late: the n-th of its kind. One key at a time takes more of them. */
const HOLD_AT: Readonly<
  Record<HeldStep, { scope: "association" | "key-transfer" | "any"; array: number; single: number }>
> = {
  "factory-association": { scope: "association", array: 0, single: 0 },
  "identity-check": { scope: "any", array: 2, single: 2 },
  // Of single transfers the second: the unicast key is new then, and the authentication key is not.
  "transfer-working-keys": { scope: "key-transfer", array: 0, single: 1 },
  "working-keys-association": { scope: "association", array: 1, single: 1 },
  "transfer-master": { scope: "key-transfer", array: 1, single: 3 },
  "prove-master": { scope: "key-transfer", array: 2, single: 4 },
  // What the meter refuses is none of its transfers: this one is counted among all requests, where each transfer counts twice.
  "refuse-old-master": { scope: "any", array: 12, single: 18 },
  "refuse-factory-keys": { scope: "association", array: 2, single: 3 },
};

/** The steps at which meters are held: a step that is new does not pass the type check before it has its place above. */
export const HELD_STEPS = TAKEOVER_STEPS.filter((step): step is HeldStep => Object.hasOwn(HOLD_AT, step));

/**
 * Arms every honest meter of a town to answer late once, each at one of the steps, all of those on both paths. It acts as soon
 * as the town is there, which is before anybody speaks with its meters.
 */
export async function armHolds(
  town: TownControl,
  steps: readonly HeldStep[],
  milliseconds: number,
): Promise<readonly Hold[]> {
  await until("the town is there", () => town.isThere(), { everyMs: 5 });
  const truth = await until("the town answers", () => town.truth().catch(() => undefined), { everyMs: 5 });
  const holds = planHolds(truth, steps);
  await town.ask(holds.map((hold) => armed(hold, milliseconds)));
  return holds;
}

function planHolds(truth: readonly MeterTruth[], steps: readonly HeldStep[]): Hold[] {
  const paths = { wan: 0, depot: 0 };
  let depotHomes = 0;
  return truth.flatMap((meter): Hold[] => {
    const path = meter.depotPort === null ? "wan" : "depot";
    if (path === "depot" && meter.role === "home") depotHomes += 1;
    if (path === "depot" && meter.role === "home" && [7, 13].includes(depotHomes)) return [];
    const step = steps[paths[path] % steps.length]!;
    paths[path] += 1;
    return [{ meter: meter.systemTitle, step, path, profile: meter.profile }];
  });
}

function armed({ meter, step, profile }: Hold, amount: number): TownRequest {
  const at = HOLD_AT[step];
  const after = profile === "dsmr-5" ? at.single : at.array;
  return { do: "fault", meter, fault: "delay", amount, scope: at.scope, times: 1, after };
}

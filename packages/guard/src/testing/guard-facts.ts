import type { Operation } from "../operation/operation.ts";
import type { GuardFacts, TargetFacts, WorkOrder } from "../rule/facts.ts";
import { DEFAULT_THRESHOLDS } from "../threshold/thresholds.ts";

/** Wednesday, ten in the morning UTC. */
export const NOW = Date.UTC(2026, 10, 18, 10);
export const HOUR = 3_600_000;
export const DISCONNECT: Operation = { kind: "disconnect", instance: "000060030aff" };
export const RECONNECT: Operation = { kind: "reconnect", instance: "000060030aff" };

/** A home without anything against it. */
export function target(at: number, more: Partial<TargetFacts> = {}): TargetFacts {
  return {
    systemTitle: `4D4B56${at.toString(16).toUpperCase().padStart(10, "0")}`,
    feeder: `F${Math.floor(at / 1000)}`,
    transformer: `T${Math.floor(at / 100)}`,
    loadW: 400,
    protectedAs: undefined,
    lastSwitchedAt: undefined,
    switchedToday: 0,
    account: { inArrears: true, notifiedAt: NOW - 48 * HOUR, contractW: 10_000 },
    isDoubted: false,
    isDisputed: false,
    ...more,
  };
}

/** A request that nothing is against: on a Wednesday morning, with a work order, arrears and notice. */
export function facts(
  targets: readonly TargetFacts[],
  more: Partial<GuardFacts["request"]> = {},
  fleet = 300_000,
): GuardFacts {
  const order: WorkOrder = {
    id: "WO-1",
    reason: "arrears",
    meters: new Set(targets.map(({ systemTitle }) => systemTitle)),
    notBefore: NOW - HOUR,
    notAfter: NOW + 24 * HOUR,
    cancelled: false,
  };
  const part = { ratedW: 400_000, offInHour: 0, offLoadInTenMinutesW: 0 };
  return {
    now: NOW,
    thresholds: DEFAULT_THRESHOLDS,
    weather: { until: NOW + 24 * HOUR, lowestCelsius: 4, highestCelsius: 12 },
    principal: {
      hours: [8, 9, 10, 9, 8, 9],
      thisHour: 0,
      operations: new Set(["disconnect", "reconnect"]),
      hoursOfDay: new Set(),
      networks: new Set(),
      network: "",
    },
    fleet: {
      meters: fleet,
      loadW: fleet * 400,
      off: { tenMinutes: 0, day: 0, month: 0, loadInTenMinutesW: 0 },
      transformers: new Map(targets.map(({ transformer }) => [transformer, { ...part, meters: 100 }])),
      feeders: new Map(targets.map(({ feeder }) => [feeder, { ...part, ratedW: undefined, meters: 1000 }])),
      signChanges: 0,
      frozen: undefined,
      clockTrouble: undefined,
    },
    request: {
      operation: DISCONNECT,
      requester: "Rita",
      reason: "arrears",
      isEmergency: false,
      notBefore: NOW,
      targets,
      peak: { meters: 0, loadW: 0 },
      workOrderId: "WO-1",
      workOrder: order,
      billingAnswered: true,
      isDoubtSigned: false,
      sameAs: undefined,
      ...more,
    },
  };
}

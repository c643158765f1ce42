import { commandRulesOf } from "../threshold/thresholds.ts";
import type { Finding, GuardFacts } from "./facts.ts";
import { aboutMeters, aboutRequest } from "./finding.ts";
import { WITHOUT_NOTICE } from "./pace.ts";

const HOUR = 3_600_000;

/** MC-09: sites that are never switched off. */
export function protectedSites({ request: { targets } }: GuardFacts): Finding[] {
  return aboutMeters(
    "MC-09",
    targets.filter(({ protectedAs }) => protectedAs !== undefined),
    (count) => `${count} on the register of protected sites`,
  );
}

/** MC-10: a work order with this reason that names the meter; arrears where they are the reason. */
export function justification({ request }: GuardFacts): Finding[] {
  const { workOrder, workOrderId, billingAnswered, reason, targets, isEmergency } = request;
  // Grid response is ordered by the grid, not by billing: the custodian wants three people for what no work order is behind.
  if (isEmergency && reason === "grid" && workOrderId === "") return [];
  if (!billingAnswered)
    return [aboutRequest("MC-10", "stop", "the billing system does not answer: nothing is switched off", request)];
  if (workOrderId === "") return [aboutRequest("MC-10", "stop", "no work order was named", request)];
  if (workOrder === undefined || workOrder.cancelled)
    return [aboutRequest("MC-10", "stop", `the billing system has no open work order ${workOrderId}`, request)];
  if (workOrder.reason !== reason)
    return [
      aboutRequest(
        "MC-10",
        "stop",
        `work order ${workOrder.id} is for "${workOrder.reason}", not "${reason}"`,
        request,
      ),
    ];
  const named = targets.filter(({ systemTitle }) => workOrder.meters.has(systemTitle));
  return [
    ...aboutMeters(
      "MC-10",
      targets.filter(({ systemTitle }) => !workOrder.meters.has(systemTitle)),
      (count) => `${count} that work order ${workOrder.id} does not name`,
    ),
    ...aboutMeters(
      "MC-10",
      reason === "arrears" ? named.filter(({ account }) => account?.inArrears !== true) : [],
      (count) => `${count} without arrears`,
    ),
    // A debt that a meter made up is none, whoever billed it.
    ...aboutMeters(
      "MC-10",
      reason === "arrears" ? named.filter(({ isDoubted, isDisputed }) => isDoubted || isDisputed) : [],
      (count) => `${count} whose own readings are disputed: they are no ground for arrears`,
    ),
  ];
}

/** MC-11: the customer knows. */
export function notice({ now, thresholds, request }: GuardFacts): Finding[] {
  if (WITHOUT_NOTICE.has(request.reason)) return [];
  const { noticeHours } = commandRulesOf(thresholds);
  const at = Math.max(now, request.notBefore);
  return aboutMeters(
    "MC-11",
    request.targets.filter(
      ({ account }) => account?.notifiedAt === undefined || at - account.notifiedAt < noticeHours * HOUR,
    ),
    (count) => `${count} whose customer was not told ${noticeHours} hours before`,
  );
}

import type { CustodianService } from "../service/service.ts";
import type { Enrolments } from "./enrolments.ts";

/** The methods by which others see and ask for enrolments; contacts carry them. */
export function enrolmentService(
  enrolments: Enrolments,
): Pick<CustodianService, "enrolmentStates" | "planEnrolments" | "enrolmentReport" | "setEnrolmentPolicy"> {
  return {
    enrolmentStates: (request) => enrolments.states(request),
    planEnrolments: (request, caller) => enrolments.plan(request, caller),
    enrolmentReport: () => enrolments.report(),
    setEnrolmentPolicy: (request, caller) => enrolments.setPolicy(request, caller),
  };
}

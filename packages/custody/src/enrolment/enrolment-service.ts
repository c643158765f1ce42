import type { KeyControl } from "../authority/key-control.ts";
import type { CustodianService } from "../service/service.ts";
import type { Enrolments } from "./enrolments.ts";

/** The methods by which others see and ask for enrolments, as people have agreed to; contacts carry them. */
export function enrolmentService(
  enrolments: Enrolments,
  control: Pick<KeyControl, "enrolments" | "enrolmentPolicy">,
): Pick<CustodianService, "enrolmentStates" | "planEnrolments" | "enrolmentReport" | "setEnrolmentPolicy"> {
  return {
    enrolmentStates: (request) => enrolments.states(request),
    planEnrolments: async (request, caller) => {
      await control.enrolments(request, caller);
      return enrolments.plan(request, caller);
    },
    enrolmentReport: () => enrolments.report(),
    setEnrolmentPolicy: (request, caller) =>
      enrolments.setPolicy(request, caller, () => control.enrolmentPolicy(request, caller)),
  };
}

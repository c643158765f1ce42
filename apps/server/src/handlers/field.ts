import type { FieldView } from "@meterkeep/api";
import { CustodianCallError, type FieldReport } from "@meterkeep/api/custodian";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** Technicians and what is lent to them, and the one action for a handheld that is lost. */
export function fieldHandlers(context: Context): Pick<Handlers, "field" | "loseHandheld"> {
  const { custodian } = context;
  return {
    field: async () => viewOf((await custodian.fieldReport({})).report),
    loseHandheld: async ({ request, params: { handheld }, body: { reason } }) => {
      const { name } = loginOf(request);
      await record(context, "handheld-reported-lost", name, { handheld, reason });
      const { report } = await custodian.loseHandheld({ handheld, reason }).catch((error: unknown) => {
        if (error instanceof CustodianCallError && error.code === "lease-refused")
          throw new ProblemError("handheld-unknown", error.message);
        throw error;
      });
      return viewOf(report);
    },
  };
}

function viewOf(text: string): FieldView {
  const { handhelds, leases } = JSON.parse(text) as FieldReport;
  return {
    handhelds: handhelds.map(({ handheld, technician, state }) => ({ handheld, technician, state })),
    leases: leases.map(({ from, until, operations, disputes, meters, ...lease }) => ({
      ...lease,
      from: timeText(from),
      until: timeText(until),
      operations: [...operations],
      disputes: [...disputes],
      meters: meters.map(({ meter, rotatedAt, ...rest }) => ({
        systemTitle: meter,
        ...rest,
        ...(rotatedAt !== undefined && { rotatedAt: timeText(rotatedAt) }),
      })),
    })),
  };
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}

import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** The break-in drill. */
export function drillHandlers(context: Context): Pick<Handlers, "startDrill" | "listDrills" | "drill"> {
  const { drills } = context;
  return {
    startDrill: async ({ request }) => {
      const { name } = loginOf(request);
      drills.refuseSecond();
      await record(context, "drill-started", name, { kind: "break-in" });
      return { drill: await drills.start(name) };
    },
    listDrills: async () => ({ drills: [...(await drills.list())] }),
    drill: async ({ params }) => {
      const report = await drills.report(params.id);
      if (report === undefined) throw new ProblemError("drill-unknown", `there is no drill ${params.id}`);
      return report;
    },
  };
}

import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** The break-in drill. */
export function drillHandlers(
  context: Context,
): Pick<Handlers, "startDrill" | "startCutDrill" | "listDrills" | "drill"> {
  const { drills } = context;
  const start = async (name: string, freezes: boolean) => {
    drills.refuseSecond();
    const said = `${name} started a drill that throws the kill switch: two people have to thaw what is critical.`;
    const words = freezes ? ({ sentence: said, severity: "warning" } as const) : undefined;
    await record(context, "drill-started", name, { kind: "break-in", freezes }, undefined, words);
    return { drill: await drills.start(name, freezes) };
  };
  return {
    startDrill: ({ request }) => start(loginOf(request).name, false),
    startCutDrill: ({ request }) => start(loginOf(request).name, true),
    listDrills: async () => ({ drills: [...(await drills.list())] }),
    drill: async ({ params }) => {
      const report = await drills.report(params.id);
      if (report === undefined) throw new ProblemError("drill-unknown", `there is no drill ${params.id}`);
      return report;
    },
  };
}

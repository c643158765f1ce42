import type { ReadingWindow } from "@meterkeep/api";
import { evidenceView, profileReadings, registerReadings } from "@meterkeep/headend";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 1000;

/** Readings, what they rest on, and who pushes. */
export function readingHandlers(context: Context): Pick<Handlers, "readings" | "profile" | "evidence" | "pushSources"> {
  const { pool, scope, inventory } = context;
  return {
    readings: async ({ params, query }) =>
      registerReadings(pool, scope, await inventory.get(params.systemTitle), windowOf(query)),
    profile: async ({ params, query }) =>
      profileReadings(pool, scope, await inventory.get(params.systemTitle), windowOf(query)),
    evidence: async ({ params }) => {
      const found = await evidenceView(pool, scope, params.hash);
      if (found === undefined) throw new ProblemError("evidence-unknown", `no reading rests on ${params.hash}`);
      return found;
    },
    pushSources: async () => ({ sources: [...(await context.pushSources.list())] }),
  };
}

function windowOf(query: ReadingWindow): Parameters<typeof registerReadings>[3] {
  return {
    from: timeOf("from", query.from),
    to: timeOf("to", query.to),
    trust: query.trust ?? "trusted",
    limit: query.limit ?? DEFAULT_LIMIT,
  };
}

/** RFC 3339 knows leap seconds, and no clock here shows them. */
function timeOf(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new ProblemError("body-invalid", `querystring/${name}: no clock shows ${text}`);
  return time;
}

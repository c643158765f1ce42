import type { MeterKind, SlaQuery } from "@meterkeep/api";
import { lastWholeDay, type SlaDay, slaBoard, slaGaps } from "@meterkeep/headend";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 500;

/** The service level of reading. */
export function slaHandlers(context: Context): Pick<Handlers, "sla" | "slaGaps"> {
  const { pool, scope } = context;
  return {
    sla: async ({ query }) => slaBoard(pool, scope, await dayOf(context, query), context.now()),
    slaGaps: async ({ query }) =>
      slaGaps(pool, scope, await dayOf(context, query), {
        after: Math.min(Number(query.after ?? 0), 2 ** 31 - 1),
        limit: query.limit ?? DEFAULT_LIMIT,
      }),
  };
}

/** The day that is asked for; without one the last that is over, of the kind of meters that there are. */
async function dayOf(context: Context, { kind, day }: Pick<SlaQuery, "kind" | "day">): Promise<SlaDay> {
  const chosen = kind ?? (await prevailingKind(context));
  const sourceNow = context.clockOf(chosen).atSource(context.now());
  const { zone, wanted } = context;
  const powerQuality = wanted(context.now()).some(({ quality }) => quality !== undefined);
  const of = { kind: chosen, zone, sourceNow, powerQuality };
  if (day === undefined) return { ...of, day: lastWholeDay(zone, sourceNow) };
  const begin = Date.parse(`${day}T00:00:00Z`);
  // The parser takes the 31st of June for the 1st of July.
  if (Number.isNaN(begin) || new Date(begin).toISOString().slice(0, 10) !== day)
    throw new ProblemError("body-invalid", `querystring/day: no calendar has ${day}`);
  return { ...of, day: begin };
}

async function prevailingKind({ inventory }: Context): Promise<MeterKind> {
  const meters = await inventory.countByKind();
  return meters.real > meters.simulated ? "real" : "simulated";
}

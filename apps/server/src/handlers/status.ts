import { type ClockView, type GridView, OVERVIEW_MOST_METERS, type Overview } from "@meterkeep/api";
import { DAY_MILLISECONDS, feederLines, meterSummaries, overviewCounts } from "@meterkeep/headend";
import type { Handlers } from "../http/mount.ts";
import type { Context } from "./context.ts";

/** Health, the overview and the events. */
export function statusHandlers(
  context: Context,
): Pick<Handlers, "health" | "publicConfig" | "overview" | "recentEvents" | "events"> {
  return {
    health: async () => {
      await context.pool.query("select 1");
      return { status: context.custodianWatch.summary.reachable ? "ok" : "degraded" };
    },
    publicConfig: async () => context.config,
    overview: () => overview(context),
    recentEvents: async ({ query }) => ({ events: [...context.hub.recent(query.limit ?? 100)] }),
    events: async ({ query, request, reply }) => context.streams.serve(request, reply, query.after),
  };
}

async function overview(context: Context): Promise<Overview> {
  const { pool, scope, hub, inventory } = context;
  // Before anything is read: an event that comes meanwhile is sent again and not lost.
  const lastEventId = hub.lastId;
  const now = context.now();
  const since = new Date(now - DAY_MILLISECONDS);
  const counts = await overviewCounts(pool, scope, context.clockOf, now, context.pushSources.strangers, since);
  const isLarge = counts.meters > OVERVIEW_MOST_METERS;
  const meters = isLarge ? [] : await meterSummaries(pool, scope, context.clockOf, now);
  const grid = isLarge ? undefined : await inventory.grid();
  return {
    asOf: new Date(now).toISOString(),
    lastEventId,
    clock: clockView(context, now),
    ...(grid === undefined ? {} : { grid: gridView(grid) }),
    meters: [...meters],
    ...(isLarge ? { feeders: [...(await feederLines(pool, scope, context.clockOf, now))] } : {}),
    counts,
    warnings: [...context.warnings()],
    custodian: context.custodianWatch.summary,
  };
}

/** The town's time and ours. */
export function clockView(context: Pick<Context, "clockOf">, now: number): ClockView {
  const clock = context.clockOf("simulated");
  return {
    now: new Date(clock.atSource(now)).toISOString(),
    wallNow: new Date(now).toISOString(),
    factor: clock.factor,
    simulated: clock.simulated,
  };
}

function gridView(grid: NonNullable<Awaited<ReturnType<Context["inventory"]["grid"]>>>): GridView {
  return {
    substation: { ...grid.substation },
    feeders: grid.feeders.map((feeder) => ({
      id: feeder.id,
      name: feeder.name,
      path: feeder.path,
      transformer: {
        id: feeder.transformer.id,
        ...(feeder.transformer.meter === "" ? {} : { meter: feeder.transformer.meter }),
        ratedKva: feeder.transformer.ratedKva,
      },
      homes: feeder.homes.map((home) => home.meter),
    })),
  };
}

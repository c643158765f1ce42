import type { CommandOrder } from "@meterkeep/api";
import type { CustodianCallError } from "@meterkeep/api/custodian";
import { DEFAULT_THRESHOLDS } from "@meterkeep/guard";
import { type Billing, NO_BILLING } from "../campaign/billing.ts";
import { CampaignRunner } from "../campaign/campaign-runner.ts";
import { Campaigns } from "../campaign/campaigns.ts";
import { commandOperations } from "../campaign/command-operations.ts";
import { FleetCensus } from "../campaign/fleet-census.ts";
import { NO_WEATHER, type WeatherOffice } from "../campaign/weather.ts";
import { folderShelf } from "../firmware/shelf.ts";
import type { Route } from "../route/route.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { postgresWorkQueue } from "../work/postgres-queue.ts";
import { openHeadEndDatabase } from "./database.ts";

export const RITA = { id: "rita", name: "Rita" };
export const OTTO = { id: "otto", name: "Otto" };
export const HOMES = 40;
export const DAY = 86_400_000;
export const CELLULAR: Route = { kind: "tcp", host: "192.0.2.1", port: 4059, network: "cellular" };

/** A head-end's campaigns over a real database; what people sign at the custodian is said by `approved`. */
export async function openBench(
  homes = HOMES,
  offices: { readonly billing?: Billing; readonly weather?: WeatherOffice } = {},
) {
  const database = await openHeadEndDatabase(homes);
  const { pool, scope } = database;
  await pool.query("update takeovers set phase = 'done'");
  await pool.query("update trust set state = 'trusted'");
  await pool.query("update meters set route = 'tcp://127.0.0.1:4059', role = 'home'");
  const entries: { readonly kind: string; readonly by: string; readonly sentence: string }[] = [];
  const bench = {
    now: Date.UTC(2026, 10, 18, 10),
    approved: false,
    frozen: undefined as string | undefined,
    capsLifted: false,
    /** What happens while a runner waits for the custodian. */
    meanwhile: async (): Promise<void> => undefined,
  };
  /** What the custodian answers to the next manifests. */
  const refuse: CustodianCallError[] = [];
  const now = (): number => bench.now;
  const holding = async () => ({
    thresholds: DEFAULT_THRESHOLDS,
    frozen: bench.frozen,
    clockDoubt: undefined,
    capsLifted: bench.capsLifted,
  });
  const manifest = async () => {
    await bench.meanwhile();
    return { state: bench.approved ? "approved" : "planned", approvedBy: [], people: 1 } as never;
  };
  const campaigns = new Campaigns({
    pool,
    scope,
    census: new FleetCensus(pool, scope, now),
    custodian: { manifest },
    billing: offices.billing ?? NO_BILLING,
    weather: offices.weather ?? NO_WEATHER,
    operations: commandOperations({ destinations: () => [], shelf: folderShelf("/nowhere") }),
    clockOf: () => WALL_SOURCE_CLOCK,
    holding,
    clockTrouble: () => undefined,
    page: async () => undefined,
    record: async (kind, by, _, sentence) => void entries.push({ kind, by, sentence }),
    changed: () => undefined,
    now,
  });
  const newRunner = (census: Pick<FleetCensus, "parts"> = new FleetCensus(pool, scope, now)) =>
    new CampaignRunner({
      pool,
      scope,
      census: census as FleetCensus,
      queue: postgresWorkQueue(pool, scope),
      custodian: {
        beginShipment: async () => ({ upload: new Uint8Array(16) }) as never,
        shipmentChunk: async () => ({}) as never,
        submitManifest: async () => {
          const error = refuse.shift();
          if (error !== undefined) throw error;
          return {} as never;
        },
        manifest,
      },
      holding,
      now,
      record: async (kind, _, sentence) => void entries.push({ kind, by: "runner", sentence }),
      wake: () => undefined,
    });
  return { ...database, database, bench, campaigns, entries, newRunner, refuse };
}

export const all = (operation: string, reason: CommandOrder["reason"]): CommandOrder => ({
  operation,
  reason,
  selection: { kind: "all" },
});

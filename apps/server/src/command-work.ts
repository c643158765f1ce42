import { generateKeyPairSync, randomUUID } from "node:crypto";
import { existsSync, linkSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  type Billing,
  CampaignRunner,
  Campaigns,
  type CommandSessions,
  commandOperations,
  type EventHub,
  FleetCensus,
  GuardView,
  type HeardRefusals,
  httpBilling,
  httpWeather,
  MeterGroups,
  NO_BILLING,
  NO_WEATHER,
  openPolicyKey,
  type PolicyKey,
  postgresMemory,
  type Scope,
  type SourceClock,
  type SqlPool,
  type WeatherOffice,
  type WorkQueue,
} from "@meterkeep/headend";
import type { Ledger } from "@meterkeep/ledger";
import type { ExchangeFiles } from "./exchange-files.ts";
import { record } from "./handlers/record.ts";

export interface CommandWorkPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly custodian: Custodian;
  readonly ledger: Ledger;
  readonly queue: WorkQueue;
  readonly hub: Pick<EventHub, "publish">;
  readonly policy: PolicyKey;
  readonly billing: Billing;
  readonly weather: WeatherOffice;
  readonly heard: HeardRefusals;
  /** What its operations need to know of this head-end. */
  readonly world: Parameters<typeof commandOperations>[0];
  clockOf: (kind: "simulated" | "real") => SourceClock;
  now(): number;
  /** Why the time of this process is doubted (MC-08). */
  clockTrouble(): string | undefined;
  wake(): void;
  onError(error: unknown): void;
}

/** What judges, keeps and moves commands, and what carries one out under a lease. */
export interface CommandWork {
  readonly campaigns: Campaigns;
  readonly groups: MeterGroups;
  readonly guard: GuardView;
  /** For the worker that holds sessions. */
  readonly sessions: Omit<ConstructorParameters<typeof CommandSessions>[0], "dial">;
  /** Looks after every campaign once; one look at a time. */
  look(): Promise<void>;
}

/** Puts together what commands are made of. Nothing starts yet. */
export function createCommandWork(ports: CommandWorkPorts): CommandWork {
  const { pool, scope, custodian, queue, policy, billing, weather, now, wake, onError } = ports;
  const operations = commandOperations(ports.world);
  const census = new FleetCensus(pool, scope, now);
  const guard = new GuardView({ sql: pool, scope, census, custodian, policy, heard: ports.heard, now });
  const holding = () => guard.holding();
  const { clockTrouble } = ports;
  const said = (kind: string, by: string, body: unknown, sentence: string, severity: "notice" | "warning") =>
    record(ports, kind, by, body, undefined, { sentence, severity });
  const runner = new CampaignRunner({
    pool,
    scope,
    census,
    queue,
    custodian,
    holding,
    now,
    record: (kind, body, sentence, severity) => said(kind, "campaign runner", body, sentence, severity),
    wake,
  });
  let looking: Promise<void> | undefined;
  const look = (): Promise<void> => {
    looking ??= runner.look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const campaigns = new Campaigns({
    pool,
    scope,
    census,
    custodian,
    billing,
    weather,
    operations,
    clockOf: ports.clockOf,
    holding,
    clockTrouble,
    page: () => guard.page(),
    record: said,
    changed: () => void look().catch(onError),
    now,
  });
  return {
    campaigns,
    groups: new MeterGroups({ pool, scope, now }),
    guard,
    look,
    sessions: {
      pool,
      scope,
      custodian,
      memoryOf: postgresMemory(pool, scope, now),
      billing,
      weather,
      operations,
      policy,
      holding,
      clockTrouble,
      clockOf: ports.clockOf,
      now,
      record: (kind, body, sentence, meter) =>
        record(ports, kind, "campaign runner", body, meter, { sentence, severity: "warning" }),
    },
  };
}

/** The policy service's key, made at the first start: a file that the head-end's user alone reads. */
export function policyKeyIn(directory: string): PolicyKey {
  const file = join(directory, "policy.key");
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const fresh = `${file}.${randomUUID()}`;
    writeFileSync(fresh, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600, flag: "wx" });
    // Whole, and never over another's: server and workers begin at the same time.
    try {
      linkSync(fresh, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      unlinkSync(fresh);
    }
  }
  return openPolicyKey(readFileSync(file, "utf8"));
}

/** Where the billing system says where it is. */
const BILLING = "billing.json";

/** The billing system as it says itself where it is; looked up at each question, since it may start again elsewhere. */
export function billingIn(exchange: Pick<ExchangeFiles, "text">): Billing {
  const present = async (): Promise<Billing> => {
    const text = await exchange.text(BILLING);
    if (text === undefined) return NO_BILLING;
    const { address, publicKey } = JSON.parse(text) as { address: string; publicKey: string };
    return httpBilling(address, publicKey);
  };
  return {
    workOrder: async (id) => (await present()).workOrder(id),
    accounts: async (meters) => (await present()).accounts(meters),
  };
}

/** Where the weather office says where it is, and which place it speaks of. */
const WEATHER = "weather.json";

/** The weather office as it says itself where it is; looked up at each question, as billing is. */
export function weatherIn(exchange: Pick<ExchangeFiles, "text">, now: () => number): WeatherOffice {
  return {
    forecast: async () => {
      const text = await exchange.text(WEATHER);
      return (text === undefined ? NO_WEATHER : httpWeather(JSON.parse(text), now)).forecast();
    },
  };
}

import { appendFileSync, writeFileSync } from "node:fs";
import { runSupervised, type Supervisor } from "@meterkeep/api/supervised";
import {
  CUSTODIAN_CONFIG,
  DEPOT_CONFIG,
  FACTORY_CONFIG,
  type FactoryConfig,
  SERVER_CONFIG,
  TOWN_CONFIG,
} from "@meterkeep/api/supervisor";

/** What a scratch app was given and did, one JSON line each in `events.jsonl` of its directory. */
export interface ScratchEvent {
  readonly event: "started" | "closed" | "message";
  readonly pid: number;
  readonly uid?: number;
  readonly underPermission?: boolean;
  readonly message?: unknown;
}

const CONFIGS = {
  custodian: CUSTODIAN_CONFIG,
  server: SERVER_CONFIG,
  depot: DEPOT_CONFIG,
  town: TOWN_CONFIG,
  factory: FACTORY_CONFIG,
} as const;

/**
 * Stands in for an app so that the supervisor can be tested alone: it notes what happens to it. Signals make it do what apps
 * do: SIGUSR2 the server's request for a drill, SIGHUP a death with a reason.
 */
export async function runScratchApp(name: keyof typeof CONFIGS): Promise<void> {
  await runSupervised(CONFIGS[name], async (config, supervisor) => {
    const note = (event: Omit<ScratchEvent, "pid">): void =>
      appendFileSync(`${config.stateDirectory}/events.jsonl`, `${JSON.stringify({ ...event, pid: process.pid })}\n`);
    const permission = (process as { permission?: object }).permission;
    note({ event: "started", uid: process.getuid?.() ?? -1, underPermission: permission !== undefined });
    supervisor.onMessage((message) => note({ event: "message", message }));
    if (name === "factory") {
      beFactory(config as FactoryConfig);
      return undefined;
    }
    answerSignals(supervisor);
    const alive = setInterval(() => undefined, 60_000);
    if (name === "server") supervisor.send({ type: "sign-in", url: "http://localhost/sign-in#scratch" });
    supervisor.send({ type: "ready", facts: { scratch: true } });
    return {
      close: () => {
        clearInterval(alive);
        note({ event: "closed" });
      },
    };
  });
}

function beFactory({ action, exchangeDirectory, productionFile, manufacturerName }: FactoryConfig): void {
  if (action === "produce") writeFileSync(productionFile, "meters\n", { mode: 0o600 });
  else {
    const manufacturer = { name: manufacturerName, flag: "MKV", ecdsaPublicKey: "e", mldsaPublicKey: "m", keyId: "k" };
    writeFileSync(`${exchangeDirectory}/manufacturer.json`, JSON.stringify(manufacturer));
  }
}

function answerSignals(supervisor: Supervisor): void {
  process.on("SIGUSR2", () => supervisor.send({ type: "run-drill", drill: "drill-1", kind: "break-in" }));
  process.on("SIGHUP", () => {
    throw Object.assign(new Error("told to fail"), { code: "scratch-failure" });
  });
}

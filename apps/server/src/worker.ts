import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MeterKind } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { WorkerConfig } from "@meterkeep/api/supervisor";
import {
  announceWorker,
  ChannelTable,
  type Collecting,
  DestinationWatch,
  type FirmwareShelf,
  folderShelf,
  HeardRefusals,
  NewsSender,
  Outbox,
  openScope,
  type PolicyKey,
  postgresWorkQueue,
  routeDial,
  type SourceClock,
  WALL_SOURCE_CLOCK,
  wantedIntervals,
} from "@meterkeep/headend";
import { Ledger, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import type { Logger } from "pino";
import { billingIn, createCommandWork, policyKeyIn, weatherIn } from "./command-work.ts";
import { ExchangeFiles } from "./exchange-files.ts";
import { createLogger } from "./log/logger.ts";
import { createMeterWork, type MeterWork } from "./meter-work.ts";
import { OwnClock } from "./own-clock.ts";
import { repeat } from "./repeat.ts";
import { dialOverServer } from "./switchboard.ts";
import { TownTime } from "./town-time.ts";
import { ownDestinations } from "./ways.ts";

const POOL_CONNECTIONS = 6;
const CLOCK_MILLISECONDS = 1_000;

/** What a worker is told, wherever it is. */
export type WorkerSettings = Omit<WorkerConfig, "stateDirectory" | "exchangeDirectory" | "channel">;

/** What a worker has of the head-end: in files beside it, or behind a gate. */
export interface WorkerSides {
  readonly custodian: Custodian;
  readonly exchange: Pick<ExchangeFiles, "text" | "stamp">;
  readonly shelf: FirmwareShelf;
  readonly policy: PolicyKey;
  readonly logger: Logger;
}

/** Starts a worker on the server's machine, with the server's files. */
export async function startWorker(config: WorkerConfig, supervisor: Supervisor): Promise<SupervisedProcess> {
  await using stack = new AsyncDisposableStack();
  const { channel, stateDirectory, exchangeDirectory, ...settings } = config;
  const custodian = custodianClient({
    socketPath: channel.socketPath,
    certificate: channel.certificate,
    privateKey: await readFile(channel.keyFile, "utf8"),
    custodianCertificate: channel.custodianCertificate,
  });
  stack.defer(() => custodian.close());
  const worker = await runWorker(settings, {
    custodian,
    exchange: new ExchangeFiles(exchangeDirectory),
    shelf: folderShelf(join(stateDirectory, "firmware")),
    policy: policyKeyIn(stateDirectory),
    logger: createLogger(),
  });
  stack.defer(() => worker.close());
  supervisor.send({ type: "ready", facts: { sessions: config.sessions } });
  const running = stack.move();
  return { close: () => running.disposeAsync() };
}

/**
 * Puts a worker together and starts it: sessions with meters, and nothing else. It shares the database with the server and
 * the other workers of its island, and may be killed at any moment.
 */
export async function runWorker(
  config: WorkerSettings,
  { custodian, exchange, shelf, policy, logger }: WorkerSides,
): Promise<{ close(): Promise<void> }> {
  await using stack = new AsyncDisposableStack();
  const onError = (error: unknown): void => logger.error({ err: error }, "something failed in the background");
  const clock = new OwnClock();
  const { now } = clock;
  const pool = createPool(config.database, {
    applicationName: "meterkeep worker",
    maxConnections: POOL_CONNECTIONS,
    onIdleError: onError,
  });
  stack.defer(() => pool.end());
  const scope = await openScope(pool, config.utility, config.island);
  const ledger = new Ledger(postgresLedgerStore(pool), { shared: true });
  stack.defer(() => ledger.close());
  const time = new TownTime(exchange);
  await time.look();
  const clockOf = (kind: MeterKind): SourceClock => (kind === "simulated" ? time.clock : WALL_SOURCE_CLOCK);
  const collecting: Collecting = {
    days: config.collectDays,
    everySeconds: config.readEvery,
    powerQuality: config.powerQuality,
  };
  const news = stack.use(new NewsSender(pool, scope, onError));
  const owner = randomUUID();
  const queue = postgresWorkQueue(pool, scope, wantedIntervals(clockOf, collecting));
  const mayPushTo = (): readonly string[] => ownDestinations(config, config.pushPort);
  // The server looks after campaigns; what a lease is for is carried out here.
  const commands = createCommandWork({
    pool,
    scope,
    custodian,
    ledger,
    queue,
    hub: news,
    policy,
    billing: billingIn(exchange),
    weather: weatherIn(exchange, now),
    heard: new HeardRefusals(),
    world: { destinations: mayPushTo, shelf },
    clockOf,
    now,
    clockTrouble: clock.trouble,
    wake: () => work.worker.wake(),
    onError,
  });
  const work: MeterWork = createMeterWork({
    pool,
    scope,
    custodian,
    ledger,
    dial: routeDial({ held: dialOverServer(config.switchboard) }),
    destinations: new DestinationWatch({
      sql: pool,
      scope,
      ledger,
      events: news,
      destinations: mayPushTo,
      now,
    }),
    commands: commands.sessions,
    queue,
    channels: new ChannelTable(pool, scope),
    outbox: config.announces ? new Outbox(pool, scope) : undefined,
    events: news,
    clockOf,
    now,
    collecting,
    concurrency: config.sessions,
    owner,
    onChange: (meters) => news.send({ kind: "changed", meters }),
    onOtherWord: ({ id }) => news.send({ kind: "other-word", meter: id }),
    onSession: (session) => news.send({ kind: "session", session }),
    onError,
  });
  stack.use(
    await announceWorker(pool, scope, owner, {
      onWork: (asked) => work.worker.wake(asked),
      onWorkers: (count) => work.shareWith(count),
      onError,
    }),
  );
  const closing = new AbortController();
  const looking = repeat(CLOCK_MILLISECONDS, closing.signal, () => time.look(), onError);
  stack.defer(async () => {
    closing.abort();
    await looking;
    await work.close();
  });
  work.worker.start();
  const running = stack.move();
  return { close: () => running.disposeAsync() };
}

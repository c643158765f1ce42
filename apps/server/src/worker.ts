import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MeterKind } from "@meterkeep/api";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { WorkerConfig } from "@meterkeep/api/supervisor";
import {
  announceWorker,
  ChannelTable,
  type Collecting,
  DestinationWatch,
  folderShelf,
  HeardRefusals,
  NewsSender,
  Outbox,
  openScope,
  postgresWorkQueue,
  routeDial,
  type SourceClock,
  WALL_SOURCE_CLOCK,
  wantedIntervals,
} from "@meterkeep/headend";
import { Ledger, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { billingIn, createCommandWork, policyKeyIn } from "./command-work.ts";
import { createLogger } from "./log/logger.ts";
import { createMeterWork, type MeterWork } from "./meter-work.ts";
import { repeat } from "./repeat.ts";
import { dialOverServer } from "./switchboard.ts";
import { TownTime } from "./town-time.ts";
import { ownDestinations } from "./ways.ts";

const POOL_CONNECTIONS = 6;
const CLOCK_MILLISECONDS = 1_000;

/**
 * Puts a worker together and starts it: sessions with meters, and nothing else. It shares the database with the server and
 * the other workers of its island, and may be killed at any moment.
 */
export async function startWorker(config: WorkerConfig, supervisor: Supervisor): Promise<SupervisedProcess> {
  await using stack = new AsyncDisposableStack();
  const logger = createLogger();
  const onError = (error: unknown): void => logger.error({ err: error }, "something failed in the background");
  const pool = createPool(config.database, {
    applicationName: "meterkeep worker",
    maxConnections: POOL_CONNECTIONS,
    onIdleError: onError,
  });
  stack.defer(() => pool.end());
  const scope = await openScope(pool, config.utility, config.island);
  const ledger = new Ledger(postgresLedgerStore(pool), { shared: true });
  stack.defer(() => ledger.close());
  const custodian = custodianClient({
    socketPath: config.channel.socketPath,
    certificate: config.channel.certificate,
    privateKey: await readFile(config.channel.keyFile, "utf8"),
    custodianCertificate: config.channel.custodianCertificate,
  });
  stack.defer(() => custodian.close());
  const time = new TownTime(config.exchangeDirectory);
  await time.look();
  const clockOf = (kind: MeterKind): SourceClock => (kind === "simulated" ? time.clock : WALL_SOURCE_CLOCK);
  const collecting: Collecting = { days: config.collectDays, everySeconds: config.readEvery };
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
    policy: policyKeyIn(config.stateDirectory),
    billing: billingIn(join(config.exchangeDirectory, "billing.json")),
    heard: new HeardRefusals(),
    world: {
      destinations: mayPushTo,
      shelf: folderShelf(join(config.stateDirectory, "firmware")),
    },
    clockOf,
    now: () => Date.now(),
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
      now: () => Date.now(),
    }),
    commands: commands.sessions,
    queue,
    channels: new ChannelTable(pool, scope),
    outbox: config.announces ? new Outbox(pool, scope) : undefined,
    events: news,
    clockOf,
    collecting,
    concurrency: config.sessions,
    owner,
    onChange: (meters) => news.send({ kind: "changed", meters }),
    onOtherWord: ({ id }) => news.send({ kind: "other-word", meter: id }),
    onSession: (session) => news.send({ kind: "session", session }),
    onError,
  });
  stack.use(await announceWorker(pool, scope, owner, { onWork: () => work.worker.wake(), onError }));
  const closing = new AbortController();
  const looking = repeat(CLOCK_MILLISECONDS, closing.signal, () => time.look(), onError);
  stack.defer(async () => {
    closing.abort();
    await looking;
    await work.close();
  });
  work.worker.start();
  supervisor.send({ type: "ready", facts: { sessions: config.sessions } });
  const running = stack.move();
  return { close: () => running.disposeAsync() };
}

import { randomBytes, randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MeterKind, PublicConfig } from "@meterkeep/api";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { ServerConfig } from "@meterkeep/api/supervisor";
import { commandRulesOf } from "@meterkeep/guard";
import {
  announceWorker,
  Challenges,
  ChannelTable,
  type Collecting,
  counted,
  createGatewayPolicy,
  custodianCursor,
  DestinationWatch,
  dueAsHeard,
  EventHub,
  folderShelf,
  HEADEND_MIGRATIONS,
  HeardRefusals,
  httpWakeUpGateway,
  Inventory,
  keepSimBudgets,
  LANES,
  Logins,
  listenForNews,
  MachineTokens,
  type Meter,
  MeterDirectory,
  Moves,
  NotedLedger,
  notInService,
  Outbox,
  openScope,
  Passkeys,
  People,
  PushIntake,
  PushSources,
  PushStore,
  parseGatewayAddress,
  parseSimBudgets,
  postgresWorkQueue,
  type SourceClock,
  timeZone,
  WALL_SOURCE_CLOCK,
  WakeUps,
  wantedIntervals,
} from "@meterkeep/headend";
import { Ledger, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool, prepareSchema } from "@meterkeep/postgres";
import packageJson from "../package.json" with { type: "json" };
import { listenForOwner } from "./admin/admin-socket.ts";
import { billingIn, createCommandWork, policyKeyIn, weatherIn } from "./command-work.ts";
import { Commissioning } from "./commissioning.ts";
import { CustodianWatch } from "./custodian-watch.ts";
import { Drills } from "./drill/drills.ts";
import { ReadBack } from "./drill/read-back.ts";
import { ExchangeFiles } from "./exchange-files.ts";
import type { Context } from "./handlers/context.ts";
import { throwKillSwitch } from "./handlers/kill-switch.ts";
import { signInUrl } from "./handlers/sign-in.ts";
import { keepHouse } from "./household.ts";
import { createApp } from "./http/app.ts";
import { EventStreams } from "./http/event-stream.ts";
import { listenHttp } from "./http/listen.ts";
import { Metrics } from "./http/metrics.ts";
import { createLogger } from "./log/logger.ts";
import { createMeterWatch, type MeterWatch } from "./meter-watch.ts";
import { createMeterWork, type MeterWork } from "./meter-work.ts";
import { newsDesk } from "./news-desk.ts";
import { OwnClock } from "./own-clock.ts";
import { PushListeners } from "./push-listeners.ts";
import { pause } from "./repeat.ts";
import { Organisation } from "./sign-in/organisation.ts";
import { listenForWorkers } from "./switchboard.ts";
import { WarningWatch } from "./warning-watch.ts";
import { currentWarnings, isLoopback } from "./warnings.ts";
import { openWays, ownDestinations } from "./ways.ts";

const KEPT_EVENTS = 4_000;
const KEPT_LINES = 500;
const STREAMS = { all: 64, forPeople: 24, perToken: 8 } as const;
const POOL_CONNECTIONS = 8;

/** Puts a head-end together and starts it: database, custodian, inventory, work, pushes, pages. */
export async function startServer(config: ServerConfig, supervisor: Supervisor): Promise<SupervisedProcess> {
  await using stack = new AsyncDisposableStack();
  const logger = createLogger();
  const onError = (error: unknown): void => logger.error({ err: error }, "something failed in the background");
  const clock = new OwnClock();
  const { now } = clock;

  const pool = createPool(config.database, {
    applicationName: "meterkeep server",
    maxConnections: POOL_CONNECTIONS,
    onIdleError: onError,
  });
  stack.defer(() => pool.end());
  const { applied } = await prepareSchema({
    pool,
    ownerUrl: config.ownerDatabase,
    sources: HEADEND_MIGRATIONS,
    version: packageJson.version,
  });
  if (applied.length > 0)
    supervisor.send({ type: "step", text: `Laid out the head-end's tables (${counted(applied.length, "migration")})` });
  const scope = await openScope(pool, config.utility, config.island);
  await keepSimBudgets(pool, scope, config.simBudgets === undefined ? new Map() : parseSimBudgets(config.simBudgets));

  const ledgerStore = postgresLedgerStore(pool);
  const ledger = new Ledger(ledgerStore, { shared: true });
  stack.defer(() => ledger.close());
  const hub = new EventHub({
    run: randomBytes(6).toString("hex"),
    keptEvents: KEPT_EVENTS,
    keptLines: KEPT_LINES,
    now: () => new Date(now()),
  });
  const custodian = custodianClient({
    socketPath: config.channel.socketPath,
    certificate: config.channel.certificate,
    privateKey: await readFile(config.channel.keyFile, "utf8"),
    custodianCertificate: config.channel.custodianCertificate,
  });
  stack.defer(() => custodian.close());
  const heard = new HeardRefusals();
  const custodianWatch = new CustodianWatch(custodian, hub, now, heard, custodianCursor(pool, scope));

  const notedLedger = new NotedLedger({ ledger: ledgerStore, scope, custodian });

  const inventory = new Inventory(pool, scope);
  const directory = new MeterDirectory(inventory);
  const collecting: Collecting = {
    days: config.collectDays,
    everySeconds: config.readEvery,
    powerQuality: config.powerQuality,
  };
  const clockOf = (kind: MeterKind): SourceClock =>
    kind === "simulated" ? commissioning.townClock : WALL_SOURCE_CLOCK;
  const wanted = wantedIntervals(clockOf, collecting);
  const queue = postgresWorkQueue(pool, scope, wanted);
  const channels = new ChannelTable(pool, scope);
  const outbox = config.announces ? new Outbox(pool, scope) : undefined;
  const commissioning = new Commissioning({
    sql: pool,
    scope,
    exchangeDirectory: config.exchangeDirectory,
    custodian,
    inventory,
    directory,
    queue,
    events: hub,
    now,
    onConcentrators: (places) => ways.concentrators?.place(places),
    onReturned: async (meters) => {
      for (const meter of meters) await watch.takeovers.lookAt(meter);
      await queue.due(meters, now(), LANES.takeover);
    },
    onStep: (text) => supervisor.send({ type: "step", text }),
  });

  const readBack = new ReadBack({
    directory,
    queue,
    notInService: (meters) => notInService(pool, scope, meters),
    wake: () => work.worker.wake(),
    now,
  });
  const owner = randomUUID();
  let pushPort = config.pushPort;
  const mayPushTo = (): readonly string[] => ownDestinations(config, pushPort);
  const destinations = new DestinationWatch({
    sql: pool,
    scope,
    ledger,
    events: hub,
    destinations: mayPushTo,
    now,
  });
  const ways = stack.use(
    await openWays({
      config,
      custodian,
      directory,
      wakeUps:
        config.wakeUp &&
        new WakeUps(
          pool,
          scope,
          httpWakeUpGateway(config.wakeUp.url, config.wakeUp.authorization),
          now,
          async () => commandRulesOf((await commands.guard.holding()).thresholds).wakeUpsPerDay,
        ),
      take: (push) => intake.take(push),
      onCall: (meter) => {
        void dueAsHeard(queue, meter.id, now())
          .then(() => work.worker.wake())
          .catch(onError);
      },
      logger,
      now,
    }),
  );
  const exchangeFiles = new ExchangeFiles(config.exchangeDirectory);
  const commands = createCommandWork({
    pool,
    scope,
    custodian,
    ledger,
    queue,
    hub,
    policy: policyKeyIn(config.stateDirectory),
    billing: billingIn(exchangeFiles),
    weather: weatherIn(exchangeFiles, now),
    heard,
    world: {
      destinations: mayPushTo,
      shelf: folderShelf(join(config.stateDirectory, "firmware")),
    },
    clockOf,
    now,
    clockTrouble: clock.trouble,
    wake: () => work.worker.wake(),
    onError,
  });
  const work: MeterWork = createMeterWork({
    pool,
    dial: ways.dial,
    destinations,
    scope,
    custodian,
    commands: commands.sessions,
    ledger,
    queue,
    channels,
    outbox,
    events: hub,
    clockOf,
    now,
    collecting,
    concurrency: config.sessions,
    owner,
    onChange: (meters) => watch.changed.add(...meters),
    onOtherWord: ({ id }) => takeNews({ kind: "other-word", meter: id }),
    onSession: (session) => takeNews({ kind: "session", session }),
    onError,
  });
  const watch: MeterWatch = createMeterWatch({
    pool,
    scope,
    custodian,
    ledger,
    queue,
    hub,
    outbox,
    clockOf,
    now,
    onTakenOver: () => work.worker.wake(),
    onError,
  });
  stack.defer(() => watch.changed.close());
  const takeNews = newsDesk({ hub, watch: () => watch, metrics: () => metrics, readBack: () => readBack, onError });
  stack.use(listenForNews(pool, scope, takeNews, onError));
  stack.use(
    await announceWorker(pool, scope, owner, {
      onWork: (asked) => work.worker.wake(asked),
      onWorkers: (count) => work.shareWith(count),
      onError,
    }),
  );

  const moves = new Moves(pool, scope, now);
  const follow = async (meter: Meter, address: string): Promise<void> => {
    if (!(await moves.announced(meter, address))) return;
    await dueAsHeard(queue, meter.id, now());
    work.worker.wake();
  };
  const pushSources = new PushSources(pool, scope, directory);
  const intake = new PushIntake({
    custodian,
    directory,
    store: new PushStore(pool, scope, channels, pushSources, outbox),
    sources: pushSources,
    watch: destinations,
    ledger,
    scope,
    events: hub,
    onHeard: (meter, address) => void follow(meter, address).catch(onError),
    clockOf,
    now,
    onChange: (meters) => watch.changed.add(...meters),
    onOutcome: (outcome) => metrics.pushes.inc({ outcome }),
    heard,
    onError,
    sleep: pause,
  });
  stack.defer(() => intake.close());
  const gateways = createGatewayPolicy({
    networks: config.gatewayNetworks,
    ownPorts: () => [Number(new URL(publicConfig.url).port), pushPort],
    resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  });
  const listeners = stack.use(new PushListeners(intake, gateways, logger));

  const drills = new Drills({
    sql: pool,
    scope,
    hub,
    launch:
      process.send === undefined
        ? undefined
        : (drill) => supervisor.send({ type: "run-drill", drill, kind: "break-in" }),
    targets: async () =>
      directory.meters.filter(({ kind, role }) => kind === "simulated" && role === "home").map(({ title }) => title),
    freeze: (drill, by, sinceFirstAct) =>
      throwKillSwitch({ custodian, ledger, scope, now, hub }, by, "a drill that measures the cut", () => ({
        drill,
        afterFirstActMilliseconds: sinceFirstAct(),
      })),
    readBack: (homes, onRead) => readBack.read(homes, onRead),
    now,
    onError,
  });
  await drills.recover();

  const streams = new EventStreams(hub, STREAMS);
  const metrics = new Metrics({
    streams: () => streams.open,
    busySessions: () => work.worker.busy,
    custodianRefusals: () => custodianWatch.refusals,
  });
  const publicConfig: { -readonly [K in keyof PublicConfig]: PublicConfig[K] } = {
    version: packageJson.version,
    utility: config.utility,
    island: config.island,
    url: `http://localhost:${config.httpPort}`,
    pushListen: { lan: !isLoopback(config.pushHost) },
    passkeys: true,
    commandOptions: config.commandOptions ?? "",
  };
  const date = (): Date => new Date(now());
  const logins = new Logins(pool, scope, date);
  const challenges = new Challenges(pool, scope, date);
  const warnings = () => [
    ...currentWarnings(config, custodianWatch.summary),
    ...commissioning.warnings,
    ...notedLedger.warnings,
    ...clock.warnings,
  ];
  const context: Context = {
    pool,
    scope,
    inventory,
    queue,
    wake: () => work.worker.wake(),
    people: new People(pool, scope, date),
    logins,
    challenges,
    organisation: config.organisation && new Organisation(config.organisation, challenges, () => publicConfig.url),
    tokens: new MachineTokens(pool, scope, date),
    passkeys: new Passkeys(pool, scope, date),
    pushSources,
    gateways,
    attached: async (meter) => {
      await directory.refresh();
      if (meter.source !== undefined) listeners.follow(parseGatewayAddress(meter.source));
    },
    left: (meter) => watch.takeovers.lookAt(meter),
    custodian,
    connections: async () => {
      const channel = await custodian.negotiated();
      return [...(channel === undefined ? [] : [{ name: "custodian", ...channel, since: undefined }]), ...ways.open()];
    },
    custodianWatch,
    ledger,
    campaigns: commands.campaigns,
    groups: commands.groups,
    guard: commands.guard,
    drills,
    hub,
    streams,
    clockOf,
    zone: timeZone(config.timeZone),
    wanted,
    config: publicConfig,
    warnings,
    now,
  };
  const app = await createApp(context, {
    logger,
    metrics,
    hostNames: [],
    consoleDirectory: config.consoleDirectory,
  });
  stack.defer(() => app.close());
  const http = stack.use(await listenHttp(app, config.httpHosts, config.httpPort));
  publicConfig.url = `http://localhost:${http.port}`;
  stack.use(await listenForOwner(app, config.adminSocket));
  stack.defer(() => streams.close());

  pushPort = await listeners.listen(config.pushHost, config.pushPort);
  publicConfig.pushListen = {
    tcp: `${config.pushHost}:${pushPort}`,
    udp: `${config.pushHost}:${pushPort}`,
    lan: !isLoopback(config.pushHost),
  };

  await ways.listen();
  if (config.workers > 0 || config.hasGate) stack.use(await listenForWorkers(config.switchboard, ways.dial));

  const house = keepHouse({
    config,
    context,
    custodian,
    directory,
    commissioning,
    listeners,
    watch,
    work: work.worker,
    commands,
    warningWatch: new WarningWatch(warnings, custodianWatch, hub),
    intake,
    notedLedger,
    outbox,
    logger,
    onError,
  });
  stack.defer(async () => {
    readBack.close();
    await house[Symbol.asyncDispose]();
    await work.close();
  });

  supervisor.onMessage((message) => {
    if (message.type === "drill-line") {
      try {
        drills.line(message.drill, message.line);
      } catch (error) {
        onError(error);
      }
    } else if (message.type === "drill-end")
      void drills.ended(message.drill, message.status, message.message).catch(onError);
    else if (message.processes.some(({ name, state }) => name === "town" && state === "ready"))
      void house.takeIn().catch(onError);
  });
  if (!(await logins.isClaimed()))
    supervisor.send({ type: "sign-in", url: signInUrl(publicConfig.url, await logins.newLink("first-start")) });
  supervisor.send({ type: "ready", facts: { address: publicConfig.url, push: `${config.pushHost}:${pushPort}` } });

  const running = stack.move();
  return { close: () => running.disposeAsync() };
}

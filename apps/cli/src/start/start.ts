import { once } from "node:events";
import { chownSync, existsSync, renameSync, rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { FactoryConfig, ProcessMessage, ServerConfig } from "@meterkeep/api/supervisor";
import { acquireLock, describeUrl, resolveStateDirectory } from "@meterkeep/postgres";
import { checkPort, describePortProblem, type WantedPort } from "../doctor/ports.ts";
import {
  type ConfigSources,
  concentratorConfig,
  consoleAddress,
  custodianConfig,
  depotConfig,
  drillConfig,
  factoryConfig,
  gateConfig,
  keyServiceHosts,
  loopbackHosts,
  operatorConfig,
  productionFile,
  serverConfig,
  standbyConfig,
  townConfig,
  workerConfig,
} from "./configs.ts";
import { openCredential } from "./credentials.ts";
import { checkDatabases, launchDatabase, provisionDatabases } from "./database.ts";
import { makeDirectories, makeEscrowFolder, writePrivate } from "./directories.ts";
import { runDrill } from "./drill.ts";
import { StartError } from "./error.ts";
import { handOverMaster } from "./factory-master.ts";
import { checkStateDirectory, openInstallation } from "./installation.ts";
import { listeningOf } from "./listening.ts";
import { buildPage } from "./page-build.ts";
import { type AppName, describeApp, workerNames } from "./processes.ts";
import { placeProgram } from "./program.ts";
import type { Reporter } from "./reporter.ts";
import { endStaleProcesses } from "./stale-processes.ts";
import { keyServiceOf, type StartConfig, workerGateOf } from "./start-config.ts";
import { type StateWatch, watchState } from "./state-watch.ts";
import { suggestionsFor } from "./suggestions.ts";
import { Supervisor } from "./supervisor.ts";
import { callersOf, openTrunkCredentials } from "./trunk-credentials.ts";
import { chooseUsers } from "./users.ts";
import { importVaultSecrets } from "./vault-secrets.ts";

/** What a start needs of its surroundings. */
export interface StartContext {
  readonly checkout: string;
  readonly version: string;
  readonly reporter: Reporter;
  /** Aborted when everything shall close. */
  readonly signal: AbortSignal;
}

/**
 * Starts everything, keeps it running until the signal is aborted, and closes it in order.
 *
 * @throws {StartError | PostgresError} when something cannot be started; what had been started is closed then
 */
export async function start(config: StartConfig, context: StartContext): Promise<void> {
  const { checkout, reporter } = context;
  process.umask(0o022);
  const place = resolveStateDirectory({
    checkout,
    isRoot: process.getuid?.() === 0,
    ...(config.state !== undefined && { requested: config.state }),
  });
  checkStateDirectory(place.path);
  using stack = new DisposableStack();
  const lock = acquireLock(`${place.path}/lock`, `the state directory ${place.path}`);
  stack.defer(() => lock.release());
  const watch = stack.use(watchState(place.path, lock));
  const { vanished } = watch;
  if (place.notice !== undefined) reporter.warn(place.notice);
  try {
    const signal = AbortSignal.any([context.signal, vanished]);
    await startIn(place.path, config, { ...context, signal, watch });
  } catch (error) {
    // Whatever else fails without the directory, fails for that.
    vanished.throwIfAborted();
    throw error;
  }
  vanished.throwIfAborted();
}

async function startIn(
  state: string,
  config: StartConfig,
  context: StartContext & { readonly watch: StateWatch },
): Promise<void> {
  const { checkout, version, reporter, watch } = context;
  const started = performance.now();
  const isRoot = process.getuid?.() === 0;
  await using closing = new AsyncDisposableStack();
  // What is still under way when a start fails is given up like on Ctrl-C.
  const failing = new AbortController();
  const signal = AbortSignal.any([context.signal, failing.signal]);
  for (const name of await endStaleProcesses(`${state}/pids`)) reporter.warn(`ended a ${name} that was left behind`);

  const users = chooseUsers(config.userIds, isRoot);
  const directories = makeDirectories(state, users);
  closing.defer(() => {
    if (directories.sockets.temporary !== undefined) rmSync(directories.sockets.temporary, { recursive: true });
  });
  // Before the installation: a start that fails for a port must not fix --meters and --seed for the next one.
  await checkAddresses(config);
  const record = openInstallation(state, config, version);
  const { installation } = record;
  for (const option of record.ignored) reporter.warn(`ignored ${option}`);
  const program = placeProgram(checkout, `${state}/program`, isRoot);
  const now = Date.now();
  const credentials = {
    custodian: openCredential(directories.custodian, "custodian", now, users.custodian),
    headEnd: openCredential(directories.headEnd, "head-end", now, users.headEnd),
    depot: openCredential(directories.depot, "depot", now, users.depot),
    operator: openCredential(directories.operator, "operator", now),
    keyService: openKeyServiceCredential(),
  };
  importVaultSecrets(config, directories, users.custodian);
  if (config.escrowDirectory !== undefined) makeEscrowFolder(config.escrowDirectory, users.custodian);

  /** The process that is the custodian now, of the two where there is a standby. */
  let custodian: { readonly name: AppName; readonly pid: number } | undefined;
  const supervisor = new Supervisor({
    logDirectory: directories.log,
    pidDirectory: `${state}/pids`,
    describe: (name) => describeApp(name, { program, directories, users, homes: installation.meters }),
    reporter,
    onMessage: (name, message, pid) => {
      if (name === "server" && message.type === "sign-in") onSignIn(message);
      if (name === "server" && message.type === "run-drill") drill(message);
      if (message.type === "took-over") tookOver({ name, pid });
    },
    signal,
  });
  closing.defer(() => supervisor.stop());
  closing.defer(() => failing.abort());

  // Independent of each other, and the longest parts of a first start.
  const consoleBuild = timed(() => buildPage("console", checkout, directories.console, signal));
  const fieldBuild =
    config.fieldPort === undefined
      ? undefined
      : buildPage("technicians' page", checkout, directories.fieldPage, signal);
  const warnings: ServerConfig["warnings"][number][] = [];
  const [databases] = await Promise.all([
    prepareDatabases(),
    supervisor.runOnce("factory", factoryConfig({ config, directories, installation }, "identify")),
  ]);
  if (!isRoot) warnings.push(SHARED_USER);
  let sources: ConfigSources = {
    config,
    installation,
    directories,
    credentials,
    trunk: undefined,
    databases,
    separateUsers: isRoot,
    warnings,
  };
  writePrivate(`${directories.operator}/config.json`, JSON.stringify(operatorConfig(sources), undefined, 2));

  // The first one of a start is the custodian or nothing starts; started again, it may find that the standby is it now.
  let isFirst = true;
  await supervisor.keep("custodian", () => {
    const own = isFirst ? custodianConfig(sources) : standbyConfig(sources);
    isFirst = false;
    return own;
  });
  if (config.standby !== undefined) await supervisor.keep("standby", () => standbyConfig(sources));
  const rootKey = custodianConfig(sources).rootKeyFile;
  if (existsSync(rootKey)) watch.report(rootKey, () => reporter.warn(rootKeyGone(rootKey)));
  await produce(factoryConfig({ config, directories, installation }, "produce"));
  await handOverMaster(directories.exchange, operatorConfig(sources).channel);
  await supervisor.keep("town", () => townConfig(sources));
  const gate = workerGateOf(config);
  if (config.concentrators > 0 || config.callTlsPort !== undefined || gate !== undefined) {
    const trunk = await openTrunkCredentials({
      count: config.concentrators,
      callers: config.callTlsPort === undefined ? [] : callersOf(directories.exchange),
      callHosts: keyServiceHosts(config.listen),
      gateHosts: gate && keyServiceHosts(gate.host),
      place: installation,
      operator: operatorConfig(sources).channel,
      headEnd: { directory: directories.headEnd, user: users.headEnd },
      concentrators: directories.concentrator,
      meters: { directory: directories.calls, user: users.town },
      now,
    });
    sources = { ...sources, trunk };
    if (config.concentrators > 0)
      await supervisor.keep("concentrator", () => concentratorConfig({ config, directories, trunk }));
  }
  const built = await consoleBuild;
  if (built.result.kind === "missing") reporter.warn(built.result.reason);
  else reporter.step(`Console ${built.result.kind}`, built.milliseconds);
  const field = await fieldBuild;
  if (field?.kind === "missing") reporter.warn(field.reason);
  let signIn: string | undefined;
  let running = false;
  await Promise.all([
    supervisor.keep("server", () => serverConfig(sources)),
    supervisor.keep("depot", () => depotConfig(sources)),
  ]);
  // After the server, which lays out the tables they work on.
  await Promise.all(workerNames(config.workers).map((name) => supervisor.keep(name, () => workerConfig(sources))));
  if (gate !== undefined) await supervisor.keep("gate", () => gateConfig(sources));
  running = true;
  if (signal.aborted) return;
  reporter.running({
    address: consoleAddress(config),
    approvals: `http://localhost:${config.approvalsPort}`,
    ...(signIn !== undefined && { signIn }),
    homes: installation.meters,
    speed: config.speed,
    push: `${config.listen}:${config.pushPort}`,
    openToNetwork: !isLoopback(config.listen),
    listening: listeningOf(config),
    state,
    checkout,
    ...suggestionsFor(config.state === undefined ? undefined : state),
    seconds: (performance.now() - started) / 1_000,
  });
  if (!signal.aborted) await once(signal, "abort");
  const stopping = performance.now();
  await closing.disposeAsync();
  reporter.step("Everything is closed", performance.now() - stopping);

  function openKeyServiceCredential() {
    const address = keyServiceOf(config);
    if (address === undefined) return undefined;
    const use = { file: "key-service", hosts: keyServiceHosts(address.host) };
    return openCredential(directories.custodian, "key service", now, users.custodian, use);
  }

  async function prepareDatabases(): Promise<ConfigSources["databases"]> {
    let adminUrl = config.databaseUrl;
    const { milliseconds, result } = await timed(async () => {
      if (adminUrl === undefined) {
        const server = await supervisor.keepDatabase(
          launchDatabase(directories, record.databases !== "made", supervisor.logOf("postgres")),
        );
        adminUrl = server.adminUrl;
        // PostgreSQL itself would notice within a minute, and be started again and again.
        watch.require(`${directories.postgres}/data/PG_VERSION`);
        for (const text of server.warnings) {
          reporter.warn(text);
          warnings.push({ code: "shared-database-user", text, fix: "adduser --system --group postgres" });
        }
        const { version: serverVersion, user, initialised, stoppedOrphan } = server.facts;
        if (stoppedOrphan === true) reporter.warn("stopped a PostgreSQL that was left behind");
        return `PostgreSQL ${serverVersion} (embedded, user ${user}${initialised === true ? ", new" : ""})`;
      }
      return `PostgreSQL at ${describeUrl(adminUrl)}`;
    });
    await checkDatabases(adminUrl!, record.databases, config);
    if (record.databases === "planned") record.note("begun");
    const urls = await provisionDatabases(adminUrl!, directories, users, config);
    if (record.databases !== "made") record.note("made");
    reporter.step(result, milliseconds);
    return urls;
  }

  /** The first start makes the meters. The town's file is put in place last: while it is absent, nothing of them is in use. */
  async function produce(order: FactoryConfig): Promise<void> {
    const target = productionFile(directories);
    if (existsSync(target)) return;
    rmSync(`${directories.exchange}/shipments`, { recursive: true });
    makeDirectories(state, users);
    await supervisor.runOnce("factory", order);
    renameSync(order.productionFile, target);
    if (users.town !== undefined) chownSync(target, users.town.uid, users.town.gid);
  }

  function onSignIn({ url }: Extract<ProcessMessage, { type: "sign-in" }>): void {
    if (running) reporter.signIn(url);
    else signIn = url;
  }

  /** One that was taken over from writes nothing more; where it hangs, it is ended, so that its ports and socket are free. */
  function tookOver(now: NonNullable<typeof custodian>): void {
    const before = custodian;
    custodian = now;
    if (before === undefined) return;
    if (before.name !== now.name) reporter.warn(`the ${now.name} has taken over from the ${before.name}`);
    supervisor.end(before.name, before.pid);
  }

  function drill(message: Extract<ProcessMessage, { type: "run-drill" }>): void {
    const launch = describeApp("drill", { program, directories, users, homes: installation.meters });
    runDrill(launch, message.drill, drillConfig(sources, message.drill), {
      send: (answer) => supervisor.send("server", answer),
      log: supervisor.logOf("drill"),
      signal,
    });
  }
}

const SHARED_USER = {
  code: "shared-user",
  text: "All processes run under one user of this machine: who breaks into the head-end as that user can read the custodian's files and memory.",
  fix: "Start Meterkeep as root: it gives every process a user of its own.",
} as const;

function rootKeyGone(file: string): string {
  return `${file} is gone: the custodian still has it in memory, and when it ends every key of every meter is lost. Do not stop anything before you have put it back from the backup`;
}

/** Everything that wants a port, tried before anything is started, so that the message names who holds it. */
async function checkAddresses(config: StartConfig): Promise<void> {
  const wanted: (WantedPort & { readonly option: string })[] = [
    ...loopbackHosts().map((host) => ({
      transport: "tcp" as const,
      host,
      port: config.port,
      use: "console",
      option: "--port",
    })),
    {
      transport: "tcp" as const,
      host: "127.0.0.1",
      port: config.approvalsPort,
      use: "custodian's page",
      option: "--approvals-port",
    },
    ...(config.fieldPort === undefined
      ? []
      : [
          {
            transport: "tcp" as const,
            host: "127.0.0.1",
            port: config.fieldPort,
            use: "technicians' page",
            option: "--field-port",
          },
        ]),
    ...(["tcp", "udp"] as const).map((transport) => ({
      transport,
      host: config.listen,
      port: config.pushPort,
      use: "pushes of meters",
      option: "--push-port",
    })),
    ...(
      [
        [config.callPort, "--call-port"],
        [config.callTlsPort, "--call-tls-port"],
      ] as const
    ).flatMap(([port, option]) =>
      port === undefined
        ? []
        : [{ transport: "tcp" as const, host: config.listen, port, use: "meters that call", option }],
    ),
    ...(
      [
        [keyServiceOf(config), "key service", "--key-service"],
        [workerGateOf(config), "workers on other machines", "--worker-gate"],
      ] as const
    ).flatMap(([address, use, option]) =>
      address === undefined ? [] : [{ transport: "tcp" as const, ...address, use, option }],
    ),
  ];
  for (const { option, ...port } of wanted) {
    const problem = await checkPort(port);
    if (problem === undefined) continue;
    if (problem.code === "EADDRNOTAVAIL") {
      const addresses = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
      throw new StartError("address-not-here", `--listen ${port.host}: this machine has ${addresses.join(", ")}`);
    }
    throw new StartError("port-in-use", describePortProblem(problem, option));
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

async function timed<Result>(
  body: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly milliseconds: number }> {
  const started = performance.now();
  const result = await body();
  return { result, milliseconds: performance.now() - started };
}

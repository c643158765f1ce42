import type { ProcessName } from "@meterkeep/api/supervisor";
import type { Directories } from "./directories.ts";
import type { Program } from "./program.ts";
import type { ProcessUser, ProcessUsers } from "./users.ts";

/** A process of ours, as opposed to PostgreSQL. */
export type AppName = Exclude<ProcessName, "postgres">;

interface AppFacts {
  /** Of the program. */
  readonly entry: string;
  readonly directory: (directories: Directories) => string;
  readonly user: (users: ProcessUsers) => ProcessUser | undefined;
  /** What V8 may keep: a smaller limit makes it collect sooner. */
  readonly heapMegabytes: (homes: number) => number;
  /**
   * How far the room for what is young may grow, where sessions are held: what lives as long as a session is then collected
   * when it has died, instead of being copied twice and kept. It stays small where little happens.
   */
  readonly youngMegabytes?: (homes: number) => number;
  /**
   * What it may touch beside the program (read) and its own directory (read and write), under `node --permission`;
   * everything when absent.
   */
  readonly permission?: (directories: Directories) => {
    readonly read: readonly string[];
    readonly write: readonly string[];
  };
  readonly nodeOptions?: readonly string[];
}

const WORKER: AppFacts = {
  entry: "apps/server/src/worker-main.ts",
  directory: ({ headEnd }) => headEnd,
  user: ({ headEnd }) => headEnd,
  heapMegabytes: () => 192,
  youngMegabytes: youngOfSessions,
  permission: ({ exchange }) => ({ read: [exchange], write: [] }),
};

const CUSTODIAN: AppFacts = {
  entry: "apps/custodian/src/main.ts",
  directory: ({ custodian }) => custodian,
  user: ({ custodian }) => custodian,
  heapMegabytes: () => 192,
  youngMegabytes: () => 32,
  // Not under the permission model: it refuses fsync, and the root key has to be durable before it is used.
  nodeOptions: ["--disallow-code-generation-from-strings"],
};

const APPS: Readonly<Record<AppName, AppFacts>> = {
  custodian: CUSTODIAN,
  // The same program with the same keys, so that it can be the custodian the moment the other is gone.
  standby: CUSTODIAN,
  server: {
    entry: "apps/server/src/main.ts",
    directory: ({ headEnd }) => headEnd,
    user: ({ headEnd }) => headEnd,
    heapMegabytes: () => 256,
    youngMegabytes: youngOfSessions,
    permission: ({ exchange, console, sockets }) => ({ read: [exchange, console], write: [sockets.headEnd] }),
  },
  "worker-1": WORKER,
  "worker-2": WORKER,
  "worker-3": WORKER,
  "worker-4": WORKER,
  "worker-5": WORKER,
  "worker-6": WORKER,
  "worker-7": WORKER,
  "worker-8": WORKER,
  gate: {
    entry: "apps/server/src/gate/gate-main.ts",
    directory: ({ headEnd }) => headEnd,
    user: ({ headEnd }) => headEnd,
    heapMegabytes: () => 128,
    permission: ({ exchange }) => ({ read: [exchange], write: [] }),
  },
  depot: {
    entry: "apps/depot/src/main.ts",
    directory: ({ depot }) => depot,
    user: ({ depot }) => depot,
    heapMegabytes: () => 128,
    permission: ({ exchange }) => ({ read: [exchange], write: [] }),
  },
  town: {
    entry: "apps/town/src/main.ts",
    directory: ({ town }) => town,
    user: ({ town }) => town,
    heapMegabytes: (homes) => 192 + Math.ceil(homes / 8),
    youngMegabytes: () => 32,
  },
  concentrator: {
    entry: "apps/concentrator/src/main.ts",
    directory: ({ concentrator }) => concentrator,
    user: ({ concentrator }) => concentrator,
    heapMegabytes: () => 128,
  },
  factory: {
    entry: "apps/factory/src/main.ts",
    directory: ({ factory }) => factory,
    user: ({ factory }) => factory,
    heapMegabytes: () => 512,
  },
  drill: {
    entry: "apps/cli/src/drill/main.ts",
    directory: ({ headEnd }) => headEnd,
    // What has broken into the head-end is the head-end, as far as the operating system can tell.
    user: ({ headEnd }) => headEnd,
    heapMegabytes: () => 128,
  },
};

/** Homes from which on many sessions are held at once. */
const MANY_HOMES = 300;

/** Who holds sessions by the hundred a second fills 32 MB twice a second, and what is under way then is copied each time. */
function youngOfSessions(homes: number): number {
  return homes > MANY_HOMES ? 64 : 32;
}

/** The workers of a start, by name. */
export function workerNames(count: number): readonly AppName[] {
  return (Object.keys(APPS) as AppName[]).filter(isWorker).slice(0, count);
}

function hasOwnFile(name: AppName): boolean {
  return name === "drill" || name === "standby" || name === "gate" || isWorker(name);
}

function isWorker(name: AppName): boolean {
  return APPS[name] === WORKER;
}

/** How to start a process: everything but its configuration and what listens to it. */
export interface AppLaunch {
  readonly name: AppName;
  readonly node: string;
  readonly nodeOptions: readonly string[];
  readonly entry: string;
  readonly configFile: string;
  readonly compileCache: string;
  readonly user: ProcessUser | undefined;
}

/** Looks up how to start a process of this program with these directories and users. */
export function describeApp(
  name: AppName,
  {
    program,
    directories,
    users,
    homes,
  }: {
    readonly program: Program;
    readonly directories: Directories;
    readonly users: ProcessUsers;
    readonly homes: number;
  },
): AppLaunch {
  const app = APPS[name];
  const own = app.directory(directories);
  // Those that share another's directory have a file of their own in it.
  const file = hasOwnFile(name) ? name : "config";
  const permission = app.permission?.(directories);
  return launchOf(name, {
    ...app,
    program,
    own,
    file,
    permission,
    user: app.user(users),
    homes,
  });
}

/** How to start a worker on a machine that has nothing else of a head-end. */
export function workerLaunch(
  name: AppName,
  parts: {
    readonly program: Program;
    readonly own: string;
    readonly sockets: string;
    readonly user: ProcessUser | undefined;
  },
): AppLaunch {
  return launchOf(name, {
    ...WORKER,
    ...parts,
    entry: "apps/server/src/gate/remote-worker-main.ts",
    file: "config",
    permission: { read: [], write: [parts.sockets] },
    // Nobody has told it how many there are.
    homes: 0,
  });
}

function launchOf(
  name: AppName,
  app: Pick<AppFacts, "entry" | "heapMegabytes" | "youngMegabytes" | "nodeOptions"> & {
    readonly program: Program;
    /** Its directory. */
    readonly own: string;
    /** Name of its configuration. */
    readonly file: string;
    readonly user: ProcessUser | undefined;
    readonly homes: number;
    readonly permission: { readonly read: readonly string[]; readonly write: readonly string[] } | undefined;
  },
): AppLaunch {
  const { program, own, homes, permission } = app;
  return {
    name,
    node: program.node,
    nodeOptions: [
      // The permission model and its --allow-net say so themselves in every log otherwise.
      "--disable-warning=ExperimentalWarning",
      // That signal opens a debugger, and whoever runs as the same user may send it: the permission model does not mind.
      "--disable-sigusr1",
      `--max-old-space-size=${app.heapMegabytes(homes)}`,
      ...(app.youngMegabytes === undefined ? [] : [`--max-semi-space-size=${app.youngMegabytes(homes)}`]),
      ...(app.nodeOptions ?? []),
      ...(permission === undefined
        ? []
        : [
            "--permission",
            "--allow-net",
            ...[...program.readable, own, ...permission.read, ...permission.write].map(
              (path) => `--allow-fs-read=${path}`,
            ),
            ...[own, ...permission.write].map((path) => `--allow-fs-write=${path}`),
          ]),
    ],
    entry: `${program.directory}/${app.entry}`,
    configFile: `${own}/${app.file}.json`,
    compileCache: `${own}/compile-cache`,
    user: app.user,
  };
}

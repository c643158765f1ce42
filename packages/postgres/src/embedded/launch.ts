import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { connectionUrl, MAX_SOCKET_PATH_BYTES } from "../connection-url.ts";
import { PostgresError } from "../error.ts";
import { acquireLock, type DirectoryLock } from "../lock.ts";
import { prepareDataDirectory, SUPERUSER } from "./data-directory.ts";
import { removeStaleSocket, stopOrphans } from "./orphans.ts";
import { chooseOwner, type DatabaseOwner } from "./owner.ts";
import { placeProgram } from "./program.ts";
import { SERVER_SETTINGS, THROWAWAY_SETTINGS } from "./settings.ts";

/** How to launch the embedded server. */
export interface LaunchOptions {
  /** Its directory (data, lock, spare copy of the program); made when absent. */
  readonly stateDirectory: string;
  /**
   * The directory of its socket, made when absent. All users of the database must be able to reach it, and its path must
   * be short (a socket's is 107 octets at most). By default one is made in the temporary folder.
   */
  readonly socketDirectory?: string;
  /** Takes what the server logs, in pieces of text. */
  readonly log: (text: string) => void;
  /** False where there has been a database: a data directory that is gone is refused then, not made anew. Default true. */
  readonly mayInitialise?: boolean;
  /** False for throwaway databases of tests: faster, and lost when the machine crashes. Default true. */
  readonly durable?: boolean;
}

/** A running embedded server. */
export interface EmbeddedPostgres {
  /** Connects as the superuser, with a password unless root launched the server: keep it out of logs. */
  readonly adminUrl: string;
  readonly socketDirectory: string;
  readonly pid: number;
  readonly version: string;
  readonly facts: {
    /** The data directory was made now. */
    readonly initialised: boolean;
    /** A server that a killed supervisor had left behind was stopped first. */
    readonly stoppedOrphan: boolean;
    /** The operating-system user it runs as. */
    readonly user: string;
  };
  readonly warnings: readonly string[];
  /** Is fulfilled when the server has ended, for whatever reason. */
  readonly exited: Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Shuts down cleanly: open transactions are rolled back, everything is written. */
  stop(): Promise<void>;
}

/** The number in the name of the socket; there is no TCP port. */
const PORT = 5432;
const START_MS = 60_000;
const FAST_STOP_MS = 20_000;

/**
 * Launches PostgreSQL under the right user with its data in `stateDirectory`, reachable by Unix socket only, and waits until it
 * takes connections. A server that was left behind in the directory is stopped first.
 *
 * @throws {PostgresError} `already-running`, `embedded-not-installed`, `no-unprivileged-user`, `initdb-failed`, `data-missing`,
 * `data-of-other-version`, `superuser-password-missing`, `socket-path-too-long`, `postgres-start-failed`
 */
export async function launchEmbedded(options: LaunchOptions): Promise<EmbeddedPostgres> {
  const { stateDirectory, durable = true, mayInitialise = true } = options;
  const directory = `${stateDirectory}/data`;
  if (!mayInitialise && !existsSync(directory)) {
    throw new PostgresError(
      "data-missing",
      `${directory} is gone, and with it every key and reading: restore the whole state directory from a backup, or move what is left of it away to start anew`,
    );
  }
  const owner = chooseOwner();
  mkdirSync(stateDirectory, { recursive: true, mode: 0o755 });
  const lock = acquireLock(`${stateDirectory}/lock`, `the PostgreSQL in ${stateDirectory}`);
  const passwordFile = `${stateDirectory}/superuser.password`;
  try {
    const program = placeProgram({ spareDirectory: `${stateDirectory}/program`, forOtherUser: owner.switches });
    openForOwner(stateDirectory, owner);
    const stoppedOrphan = existsSync(directory) && (await stopOrphans(directory));
    const initialised = await prepareDataDirectory({ directory, passwordFile, owner, program, durable });
    const sockets = prepareSocketDirectory(options.socketDirectory, stateDirectory, owner);
    removeStaleSocket(sockets.path, PORT, directory);
    const child = spawnServer(program.postgres, directory, sockets.path, owner, durable);
    const server = watch(child, options.log, lock, sockets);
    const guardian = guard(child.pid, directory, owner);
    void server.exited.then(() => guardian?.kill("SIGKILL"));
    await server.ready(directory);
    const password = owner.switches ? undefined : readFileSync(passwordFile, "utf8");
    return {
      adminUrl: connectionUrl({
        host: sockets.path,
        port: PORT,
        database: "postgres",
        user: SUPERUSER,
        ...(password !== undefined && { password }),
      }),
      socketDirectory: sockets.path,
      pid: child.pid!,
      version: program.version,
      facts: { initialised, stoppedOrphan, user: owner.name ?? String(owner.uid) },
      warnings: owner.warning === undefined ? [] : [owner.warning],
      exited: server.exited,
      stop: server.stop,
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The server's user makes its data directory inside; nobody else gets in. */
function openForOwner(stateDirectory: string, owner: DatabaseOwner): void {
  if (owner.switches) chownSync(stateDirectory, owner.uid, owner.gid);
  chmodSync(stateDirectory, 0o700);
}

interface SocketDirectory {
  readonly path: string;
  /** Made by us, to be removed with the server. */
  readonly ours: boolean;
}

function prepareSocketDirectory(
  given: string | undefined,
  stateDirectory: string,
  owner: DatabaseOwner,
): SocketDirectory {
  const record = `${stateDirectory}/socket-directory`;
  // The one of a server that was killed.
  if (existsSync(record)) rmSync(readFileSync(record, "utf8"), { recursive: true, force: true });
  rmSync(record, { force: true });
  const path = given ?? mkdtempSync(`${tmpdir()}/meterkeep-`);
  if (given === undefined) writeFileSync(record, path);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o711);
  if (owner.switches) chownSync(path, owner.uid, owner.gid);
  if (Buffer.byteLength(`${path}/.s.PGSQL.${PORT}.lock`) > MAX_SOCKET_PATH_BYTES) {
    throw new PostgresError("socket-path-too-long", `${path} is too long for a Unix socket: choose a shorter --state`);
  }
  return { path, ours: given === undefined };
}

function spawnServer(
  postgres: string,
  directory: string,
  socketDirectory: string,
  owner: DatabaseOwner,
  durable: boolean,
): ChildProcess {
  const settings = {
    ...SERVER_SETTINGS,
    ...(durable ? {} : THROWAWAY_SETTINGS),
    unix_socket_directories: socketDirectory,
    port: String(PORT),
  };
  return spawn(
    postgres,
    ["-D", directory, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    {
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "ignore", "pipe"],
      // A session of its own: Ctrl-C in the terminal is for the supervisor, which stops the server last.
      detached: true,
      ...(owner.switches && { uid: owner.uid, gid: owner.gid }),
    },
  );
}

/**
 * Shuts the server down when this process is gone, however it went: a postmaster does not notice that by itself. It runs
 * under the server's own user. Arguments: process id of the postmaster, data directory (by which a reused id is told apart).
 */
const GUARDIAN = `
  read -r _
  [ "$(readlink "/proc/$1/cwd")" = "$2" ] && kill -INT "$1"`;

function guard(pid: number | undefined, directory: string, owner: DatabaseOwner): ChildProcess | undefined {
  // A server that could not be spawned has no id; its error says so elsewhere.
  if (pid === undefined) return undefined;
  const guardian = spawn("/bin/sh", ["-c", GUARDIAN, "postgres-guardian", String(pid), realpathSync(directory)], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    ...(owner.switches && { uid: owner.uid, gid: owner.gid }),
  });
  // Without a shell the next start still finds what is left behind.
  guardian.on("error", () => undefined);
  guardian.unref();
  (guardian.stdin as unknown as { unref(): void }).unref();
  return guardian;
}

function watch(child: ChildProcess, log: (text: string) => void, lock: DirectoryLock, sockets: SocketDirectory) {
  let tail = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    tail = `${tail}${text}`.slice(-2_000);
    log(text);
  });
  let ended = false;
  const exited = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    const end = (status: number | null, signal: NodeJS.Signals | null): void => {
      ended = true;
      lock.release();
      if (sockets.ours) rmSync(sockets.path, { recursive: true, force: true });
      resolve({ status, signal });
    };
    child.once("error", (error) => {
      tail = error.message;
      end(null, null);
    });
    child.once("exit", end);
  });
  // A process that holds a server does not have to live for it.
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  const stop = async (): Promise<void> => {
    if (ended) return;
    child.ref();
    child.kill("SIGINT");
    const late = setTimeout(() => child.kill("SIGQUIT"), FAST_STOP_MS);
    await exited;
    clearTimeout(late);
  };
  const ready = async (directory: string): Promise<void> => {
    const started = performance.now();
    while (!ended) {
      if (isReady(directory, child.pid)) return;
      if (performance.now() - started > START_MS) {
        await stop();
        break;
      }
      await sleep(5);
    }
    throw new PostgresError("postgres-start-failed", `PostgreSQL did not start in ${directory}: ${tail.trim()}`);
  };
  return { exited, stop, ready };
}

/** Line 8 of postmaster.pid says `ready` as soon as the server takes connections. */
function isReady(directory: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(`${directory}/postmaster.pid`, "utf8").split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

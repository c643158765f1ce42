import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { RemoteWorkerConfig } from "@meterkeep/api/supervisor";
import { acquireLock } from "@meterkeep/postgres";
import { CliError } from "../error.ts";
import { checkoutDirectory } from "../start/checkout.ts";
import { START_OPTIONS } from "../start/options.ts";
import { workerLaunch } from "../start/processes.ts";
import { placeProgram } from "../start/program.ts";
import { jsonReporter, textReporter } from "../start/reporter.ts";
import { endStaleProcesses } from "../start/stale-processes.ts";
import { Supervisor } from "../start/supervisor.ts";
import { mayColour, type Terminal } from "../terminal.ts";
import { makeWorkerDirectories } from "./directories.ts";
import { type JoinOptions, type KeptTicket, openIdentity, userOf } from "./join.ts";

export interface StartWorkerOptions extends JoinOptions {
  readonly sessions?: string;
}

/** How often is looked whether the certificate is to be renewed. */
const RENEWAL_MILLISECONDS = 6 * 3_600_000;
const NAME = "worker-1";

/** `meterkeep worker start`: keeps this machine's worker running until Ctrl-C. */
export async function startWorker(options: StartWorkerOptions, terminal: Terminal): Promise<void> {
  const { state, json } = options;
  const user = userOf(options.userIds);
  const sessions = Number(options.sessions ?? START_OPTIONS.sessions.default);
  if (!Number.isInteger(sessions) || sessions < 1 || sessions > START_OPTIONS.sessions.maximum)
    throw new CliError(
      "option-invalid",
      `--sessions must be a whole number from 1 to ${START_OPTIONS.sessions.maximum}`,
    );
  const directories = makeWorkerDirectories(state, user);
  if (!existsSync(directories.ticketFile))
    throw new CliError("option-invalid", `${state} is no worker's: \`npx meterkeep worker join\` comes first`);
  const ticket = JSON.parse(readFileSync(directories.ticketFile, "utf8")) as KeptTicket;
  using stack = new DisposableStack();
  const lock = acquireLock(`${directories.state}/lock`, `the state directory ${directories.state}`);
  stack.defer(() => lock.release());
  mkdirSync(directories.pids, { recursive: true });
  const reporter =
    json === true ? jsonReporter(terminal.stdout) : textReporter(terminal.stdout, mayColour(terminal, terminal.stdout));
  for (const name of await endStaleProcesses(directories.pids)) reporter.warn(`ended a ${name} that was left behind`);
  const program = placeProgram(checkoutDirectory(), `${directories.state}/program`, user !== undefined);
  const identity = await openIdentity(directories, ticket, user);
  const terminated = new AbortController();
  const terminate = (): void => terminated.abort();
  for (const name of ["SIGTERM", "SIGHUP"] as const) process.once(name, terminate);
  const signal = AbortSignal.any([terminal.interrupted, terminated.signal]);
  const supervisor = new Supervisor({
    logDirectory: directories.log,
    pidDirectory: directories.pids,
    describe: () => workerLaunch(NAME, { program, user, ...directories }),
    reporter,
    onMessage: () => undefined,
    signal,
  });
  const config = (): RemoteWorkerConfig => ({
    stateDirectory: directories.own,
    socketDirectory: directories.sockets,
    identityFile: directories.identityFile,
    sessions,
    name: ticket.name,
    gate: ticket.gate,
    enrolment: ticket.enrolment,
    authorities: ticket.authorities,
    custodianCertificate: ticket.custodianCertificate,
  });
  try {
    await supervisor.keep(NAME, config);
    while (!signal.aborted) {
      await sleep(RENEWAL_MILLISECONDS, undefined, { signal }).catch(() => undefined);
      // What cannot be renewed now goes on with what it has: there is a third of its time left to try again.
      const isRenewed =
        !signal.aborted && (await identity.tend().catch((error: Error) => reporter.warn(error.message)));
      if (isRenewed !== true) continue;
      reporter.step("The certificate was renewed; the worker starts again with it");
      supervisor.end(NAME);
    }
  } finally {
    for (const name of ["SIGTERM", "SIGHUP"] as const) process.off(name, terminate);
    await supervisor.stop();
  }
}

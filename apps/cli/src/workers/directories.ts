import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { MAX_SOCKET_PATH_BYTES, socketIn } from "@meterkeep/postgres";
import { CliError } from "../error.ts";
import { makeOwned } from "../start/directories.ts";
import type { ProcessUser } from "../start/users.ts";

/** Where a worker on another machine has what it has: nothing of it is shared with anybody. */
export interface WorkerDirectories {
  readonly state: string;
  /** Of the process alone (mode 0700), with its key. */
  readonly own: string;
  readonly log: string;
  readonly pids: string;
  /** Of its sockets. */
  readonly sockets: string;
  readonly ticketFile: string;
  readonly identityFile: string;
}

/** Makes them; running it again puts them right. @throws CliError `option-invalid` */
export function makeWorkerDirectories(path: string, user: ProcessUser | undefined): WorkerDirectories {
  const state = resolve(path);
  const [own, log, sockets] = [`${state}/worker`, `${state}/log`, `${state}/run`];
  if (Buffer.byteLength(socketIn(sockets)) > MAX_SOCKET_PATH_BYTES)
    throw new CliError("option-invalid", `sockets need short paths, and ${state} is too long: choose another --state`);
  mkdirSync(state, { recursive: true });
  makeOwned(own, 0o700, user);
  makeOwned(sockets, 0o700, user);
  makeOwned(log, 0o700);
  const files = { ticketFile: `${own}/ticket.json`, identityFile: `${own}/identity.pem` };
  return { state, own, log, sockets, pids: `${state}/pids`, ...files };
}

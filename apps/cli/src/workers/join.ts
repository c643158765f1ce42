import { chownSync, readFileSync } from "node:fs";
import { parseSettings } from "@meterkeep/api/settings";
import { WORKER_TICKET, type WorkerTicket } from "@meterkeep/api/supervisor";
import { OwnIdentity } from "@meterkeep/pki";
import { CliError } from "../error.ts";
import { writePrivate } from "../start/directories.ts";
import { START_OPTIONS } from "../start/options.ts";
import { chooseUsers, type ProcessUser } from "../start/users.ts";
import { type Terminal, write } from "../terminal.ts";
import { makeWorkerDirectories, type WorkerDirectories } from "./directories.ts";

export interface JoinOptions {
  readonly state: string;
  readonly userIds?: string;
  readonly json?: boolean;
}

/** What a machine keeps of its ticket: the password is used up. */
export type KeptTicket = Omit<WorkerTicket, "password">;

/** `meterkeep worker join`: makes this machine's key and has it certified. The key is made here and goes nowhere. */
export async function joinWorker(file: string, options: JoinOptions, terminal: Terminal): Promise<void> {
  const { password, ...ticket } = ticketIn(file);
  const user = userOf(options.userIds);
  const directories = makeWorkerDirectories(options.state, user);
  await openIdentity(directories, ticket, user, password);
  writePrivate(directories.ticketFile, JSON.stringify(ticket, undefined, 2), user);
  const text = `This machine is the worker ${ticket.name} of ${ticket.gate.host}. Start it with
  npx meterkeep worker start --state ${options.state}
`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify({ joined: ticket.name })}\n` : text);
}

/** Who runs the worker: a user of its own where root starts it. */
export function userOf(userIds: string | undefined): ProcessUser | undefined {
  const first = Number(userIds ?? START_OPTIONS.userIds.default);
  if (!Number.isInteger(first) || first < 1_000 || first > 65_000)
    throw new CliError("option-invalid", `--user-ids must be a number from 1000 to 65000, not ${userIds}`);
  return chooseUsers(first, process.getuid?.() === 0).remoteWorker;
}

/** Opens the worker's key and certificate, or enrols where there is a password for it. @throws PkiError `enrolment-refused` */
export async function openIdentity(
  { identityFile }: Pick<WorkerDirectories, "identityFile">,
  { name, enrolment, authorities }: KeptTicket,
  user: ProcessUser | undefined,
  password?: string,
): Promise<Pick<OwnIdentity, "tend">> {
  const place = { ...enrolment, authorities };
  const identity = await OwnIdentity.open({ file: identityFile, name, place, password, now: Date.now });
  const own = (): void => {
    if (user !== undefined) chownSync(identityFile, user.uid, user.gid);
  };
  own();
  return {
    tend: async () => {
      const isRenewed = await identity.tend();
      if (isRenewed) own();
      return isRenewed;
    },
  };
}

function ticketIn(file: string): WorkerTicket {
  try {
    return parseSettings(WORKER_TICKET, JSON.parse(readFileSync(file, "utf8")), "ticket");
  } catch (cause) {
    throw new CliError(
      "input-unreadable",
      `${file} is not what \`npx meterkeep worker enrol\` writes: ${(cause as Error).message}`,
      { cause },
    );
  }
}

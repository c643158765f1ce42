import { readFileSync } from "node:fs";
import { StartError } from "./error.ts";

/** Processes with a user of their own; the number is added to the first user id. */
const OFFSETS = { custodian: 0, headEnd: 1, depot: 2, town: 3, factory: 4, concentrator: 5, remoteWorker: 6 } as const;
/** The group of those who write into the exchange directory. */
const EXCHANGE_GROUP_OFFSET = 9;
const RANGE = 10;

/** Who runs a process. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
}

/** The users of the processes: one each when started as root, otherwise none (all run as who started them). */
export type ProcessUsers = { readonly [Name in keyof typeof OFFSETS]: ProcessUser | undefined } & {
  readonly exchangeGroup: number | undefined;
};

/**
 * Numbers need no entry in /etc/passwd, and 60900 to 60909 are in a range that systemd documents as unused
 * (60578 to 61183) and that fits the 65 536 ids of a container.
 *
 * @throws {StartError} `user-ids-taken` when the machine uses one of the numbers
 */
export function chooseUsers(
  first: number,
  isRoot: boolean,
  databases: readonly string[] = ["/etc/passwd", "/etc/group"].map((file) => readFileSync(file, "utf8")),
): ProcessUsers {
  const names = Object.keys(OFFSETS) as (keyof typeof OFFSETS)[];
  if (!isRoot)
    return {
      ...(Object.fromEntries(names.map((name) => [name, undefined])) as ProcessUsers),
      exchangeGroup: undefined,
    };
  for (const line of databases.join("\n").split("\n")) {
    const [name, , id] = line.split(":");
    if (id !== undefined && Number(id) >= first && Number(id) < first + RANGE) {
      throw new StartError(
        "user-ids-taken",
        `${name} has the id ${id}, and the processes need ${first} to ${first + RANGE - 1}: choose another first id with --user-ids`,
      );
    }
  }
  const exchangeGroup = first + EXCHANGE_GROUP_OFFSET;
  const user = (name: keyof typeof OFFSETS, gid = first + OFFSETS[name]): ProcessUser => ({
    uid: first + OFFSETS[name],
    gid,
  });
  return {
    custodian: user("custodian", exchangeGroup),
    headEnd: user("headEnd"),
    depot: user("depot"),
    town: user("town", exchangeGroup),
    factory: user("factory", exchangeGroup),
    concentrator: user("concentrator", exchangeGroup),
    remoteWorker: user("remoteWorker"),
    exchangeGroup,
  };
}

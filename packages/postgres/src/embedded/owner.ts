import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { PostgresError } from "../error.ts";

/** The operating-system user under whom PostgreSQL runs. It refuses to run as root. */
export interface DatabaseOwner {
  readonly uid: number;
  readonly gid: number;
  /** Absent when the user has no entry in the user database, as in some containers. */
  readonly name?: string;
  /** Whether this process is root and starts PostgreSQL under the other user. */
  readonly switches: boolean;
  /** Why the choice is second best. */
  readonly warning?: string;
}

/** Chooses the user: `postgres` or else `nobody` for root, and everybody else themselves. */
export function chooseOwner(passwd: () => string = () => readFileSync("/etc/passwd", "utf8")): DatabaseOwner {
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) {
    const name = ownName();
    return { uid, gid: process.getgid?.() ?? -1, switches: false, ...(name !== undefined && { name }) };
  }
  for (const name of ["postgres", "nobody"]) {
    const line = passwd()
      .split("\n")
      .find((entry) => entry.startsWith(`${name}:`));
    const fields = line?.split(":");
    if (fields === undefined) continue;
    return {
      uid: Number(fields[2]),
      gid: Number(fields[3]),
      name,
      switches: true,
      ...(name === "nobody" && {
        warning:
          "PostgreSQL runs as nobody because there is no user postgres: other processes of nobody can read its data (adduser --system --group postgres)",
      }),
    };
  }
  throw new PostgresError(
    "no-unprivileged-user",
    "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: adduser --system --group postgres, or set DATABASE_URL",
  );
}

function ownName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

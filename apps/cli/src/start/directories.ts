import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { MAX_SOCKET_PATH_BYTES } from "@meterkeep/postgres";
import type { ProcessUser, ProcessUsers } from "./users.ts";

/** Where everything is. Each process's directory has mode 0700 and belongs to its user. */
export interface Directories {
  readonly state: string;
  readonly custodian: string;
  readonly headEnd: string;
  readonly depot: string;
  readonly town: string;
  /** What the town's meters prove themselves with where they call over TLS. */
  readonly calls: string;
  readonly factory: string;
  readonly concentrator: string;
  readonly operator: string;
  readonly postgres: string;
  /** Files that pass between the processes; everybody may read them. */
  readonly exchange: string;
  /** What the processes write to their standard output and error. */
  readonly log: string;
  /** The built console. */
  readonly console: string;
  /** The built page of technicians. */
  readonly fieldPage: string;
  readonly sockets: {
    readonly postgres: string;
    readonly custodian: string;
    readonly headEnd: string;
    /** Made in the temporary folder because the state directory's path is too long; to be removed at the end. */
    readonly temporary?: string;
  };
}

/** Makes the directories with their owners and modes; running it again puts them right. */
export function makeDirectories(state: string, users: ProcessUsers): Directories {
  const own = (name: string, user?: ProcessUser): string => {
    const path = `${state}/${name}`;
    makeOwned(path, 0o700, user);
    return path;
  };
  const exchange = `${state}/exchange`;
  for (const path of [exchange, `${exchange}/shipments`]) {
    mkdirSync(path, { recursive: true });
    // Sticky: whoever may write here can still not replace what another has written.
    if (users.exchangeGroup !== undefined) chownSync(path, 0, users.exchangeGroup);
    chmodSync(path, users.exchangeGroup === undefined ? 0o755 : 0o1775);
  }
  return {
    state,
    custodian: own("custodian", users.custodian),
    headEnd: own("head-end", users.headEnd),
    depot: own("depot", users.depot),
    town: own("town", users.town),
    calls: own("town/calls", users.town),
    factory: own("factory", users.factory),
    concentrator: own("concentrator", users.concentrator),
    operator: own("operator"),
    log: own("log"),
    postgres: `${state}/postgres`,
    exchange,
    console: `${state}/console`,
    fieldPage: `${state}/field-page`,
    sockets: makeSocketDirectories(state, users),
  };
}

/** Sockets need short paths: they are in `run` of the state directory, or in the temporary folder where that is too deep. */
function makeSocketDirectories(state: string, users: ProcessUsers): Directories["sockets"] {
  const record = `${state}/run-directory`;
  if (existsSync(record)) rmSync(readFileSync(record, "utf8"), { recursive: true, force: true });
  rmSync(record, { force: true });
  const fits = Buffer.byteLength(`${state}/run/postgres/.s.PGSQL.5432.lock`) <= MAX_SOCKET_PATH_BYTES;
  const base = fits ? `${state}/run` : mkdtempSync(`${tmpdir()}/meterkeep-`);
  if (!fits) writeFileSync(record, base);
  makeOwned(base, 0o711);
  const sockets = { postgres: `${base}/postgres`, custodian: `${base}/custodian`, headEnd: `${base}/head-end` };
  makeOwned(sockets.custodian, 0o711, users.custodian);
  makeOwned(sockets.headEnd, 0o700, users.headEnd);
  return { ...sockets, ...(!fits && { temporary: base }) };
}

/** The custodian's own folder in the directory that was named for the escrow of keys: that one stays as it is. */
export function escrowFolder(directory: string): string {
  return `${directory}/meterkeep-escrow`;
}

/** Makes that folder, for the custodian's user alone. */
export function makeEscrowFolder(directory: string, user?: ProcessUser): void {
  makeOwned(escrowFolder(directory), 0o700, user);
}

/** Makes a directory with its mode, for the user of one process. */
export function makeOwned(path: string, mode: number, user?: ProcessUser): void {
  mkdirSync(path, { recursive: true });
  if (user !== undefined) chownSync(path, user.uid, user.gid);
  chmodSync(path, mode);
}

/** Writes a file that one user alone may read: under another name first, so that nobody sees half of it. */
export function writePrivate(path: string, text: string, user?: ProcessUser): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode: 0o600, flag: "wx" });
  if (user !== undefined) chownSync(draft, user.uid, user.gid);
  renameSync(draft, path);
}

/** Where a database is and as whom to connect. */
export interface ConnectionParts {
  /** A host name, or the directory of a Unix socket (begins with `/`). */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string;
}

/** The largest path that fits `sockaddr_un.sun_path` on Linux with its final zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** Writes a connection string that `pg` and libpq both read, socket directories included. */
export function connectionUrl({ host, port, database, user, password }: ConnectionParts): string {
  const credentials =
    password === undefined ? encodeURIComponent(user) : `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const name = encodeURIComponent(database);
  return host.startsWith("/")
    ? `postgres://${credentials}@localhost:${port}/${name}?host=${encodeURIComponent(host)}`
    : `postgres://${credentials}@${host}:${port}/${name}`;
}

/** The same server, TLS settings and all, with another database, user and password. */
export function withCredentials(
  url: string,
  { database, user, password }: Pick<ConnectionParts, "database" | "user" | "password">,
): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  changed.username = encodeURIComponent(user);
  changed.password = password === undefined ? "" : encodeURIComponent(password);
  return changed.href;
}

/** The connection string without its password, for messages. */
export function describeUrl(url: string): string {
  const shown = new URL(url);
  shown.password = "";
  return shown.href;
}

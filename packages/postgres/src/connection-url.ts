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

/** Where a server listens: a Unix socket, or a host and port. */
export function serverPlace(url: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  const { hostname, port, searchParams } = new URL(url);
  const host = searchParams.get("host") ?? hostname;
  const number = port === "" ? DEFAULT_PORT : Number(port);
  return host.startsWith("/") ? { path: socketIn(host, number) } : { host, port: number };
}

/** The same database with the same settings by way of the Unix socket of a directory, which somebody carries to the server. */
export function throughSocket(url: string, directory: string): string {
  const changed = new URL(url);
  changed.host = `localhost:${DEFAULT_PORT}`;
  changed.searchParams.set("host", directory);
  return changed.href;
}

/** The Unix socket of a server in its directory, as clients look for it. */
export function socketIn(directory: string, port: number = DEFAULT_PORT): string {
  return `${directory}/.s.PGSQL.${port}`;
}

const DEFAULT_PORT = 5_432;

/** The connection string without its password, for messages. */
export function describeUrl(url: string): string {
  const shown = new URL(url);
  shown.password = "";
  return shown.href;
}

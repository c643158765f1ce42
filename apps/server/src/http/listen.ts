import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { App } from "./app.ts";

const HEADERS_TIMEOUT_MILLISECONDS = 10_000;
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 1_000;

/** HTTP on one or more addresses with the same port. */
export interface HttpListener extends AsyncDisposable {
  readonly port: number;
}

/** Serves the app on every address. The first one must work; others (an IPv6 loopback that is absent) may fail. */
export async function listenHttp(app: App, hosts: readonly string[], port: number): Promise<HttpListener> {
  await app.ready();
  const servers: Server[] = [];
  let bound = port;
  for (const host of hosts)
    try {
      const server = await listen(app, host, bound);
      servers.push(server);
      bound = (server.address() as AddressInfo).port;
    } catch (error) {
      if (servers.length === 0) throw error;
      app.log.warn({ host, code: (error as NodeJS.ErrnoException).code }, "this address is not served");
    }
  return {
    port: bound,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map(close));
    },
  };
}

function listen(app: App, host: string, port: number): Promise<Server> {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    if (!app.atOnce(request, response)) app.routing(request, response);
  });
  server.headersTimeout = HEADERS_TIMEOUT_MILLISECONDS;
  server.requestTimeout = REQUEST_TIMEOUT_MILLISECONDS;
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { FastifyInstance } from "fastify";
import { OWNER } from "../http/security.ts";
import { listenPrivately } from "../private-socket.ts";

/**
 * Serves the same API on a Unix socket that only the machine's owner can open (mode 0600): who reaches it is let in as
 * the owner. A socket that an earlier process left behind is replaced.
 */
export async function listenForOwner(app: FastifyInstance, path: string): Promise<AsyncDisposable> {
  await app.ready();
  const server = createServer((request, response) => app.routing(request, response));
  server.on("connection", (socket) => Object.defineProperty(socket, OWNER, { value: true }));
  await listenPrivately(server, path);
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(path, { force: true });
    },
  };
}

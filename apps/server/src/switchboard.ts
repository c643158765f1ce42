import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { serverEnd, TransportError } from "@meterkeep/dlms-node";
import { type Dial, serveLine, switchboardDial } from "@meterkeep/headend";
import { listenPrivately } from "./private-socket.ts";

/** Lines of workers at once: each is a session. */
const MOST_LINES = 20_000;

/** Lets workers of this machine speak over the connections that this process holds: to concentrators, and from meters that call. */
export async function listenForWorkers(path: string, dial: Dial): Promise<AsyncDisposable> {
  const server = createServer((socket) => serveLine(socket, dial));
  const end = serverEnd(server);
  server.maxConnections = MOST_LINES;
  await listenPrivately(server, path);
  return {
    [Symbol.asyncDispose]: async () => {
      await end();
      await rm(path, { force: true });
    },
  };
}

/** A worker's way over those connections. */
export function dialOverServer(path: string): Dial {
  return switchboardDial(
    () =>
      new Promise((resolve, reject) => {
        const socket = connect({ path });
        socket.once("connect", () => resolve(socket));
        socket.once("error", (cause) =>
          reject(
            new TransportError("connection-failed", `the server holds no connections now: ${cause.message}`, { cause }),
          ),
        );
      }),
  );
}

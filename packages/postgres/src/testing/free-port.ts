import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Below the ports that the system hands out by itself: a town opens hundreds of those between our choice and its use. */
const LOWEST_PORT = 20_000;
const PORT_SPAN = 12_000;

/** A TCP port that is free on loopback now, that nobody is given who asks for any, and no other test while this process runs. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * PORT_SPAN);
    // Between the choice and its use are seconds, and tests run side by side: the name of the port is held until this process ends.
    const claim = await listening(`\0meterkeep-test-port-${port}`);
    if (claim === undefined) continue;
    claim.unref();
    const server = await listening({ port, host: "127.0.0.1" });
    if (server === undefined) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** A server there, or nothing where it is taken. A path that begins with a zero octet is a name of Linux and no file. */
async function listening(at: string | { readonly port: number; readonly host: string }): Promise<Server | undefined> {
  const server = createServer().listen(typeof at === "string" ? { path: at } : at);
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw error;
  }
}

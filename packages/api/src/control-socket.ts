import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";

const MAX_LINE_BYTES = 4096;

/** What is asked over a control socket; nothing of it is known to be there. */
export type ControlRequest = Readonly<Record<string, unknown>>;

/** A control socket that is open. */
export interface ControlSocket {
  close(): Promise<void>;
}

/**
 * Opens the control socket of what is simulated, for its owner alone and for tests: one JSON request a line, one JSON answer a line.
 *
 * @param perform gives what is answered beside `ok`; what it throws is answered as `message`
 */
export async function openControlSocket(
  path: string,
  perform: (request: ControlRequest) => object,
): Promise<ControlSocket> {
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let pending = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      const lines = (pending + chunk).split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) socket.write(`${JSON.stringify(answerTo(line, perform))}\n`);
      if (pending.length > MAX_LINE_BYTES) socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answerTo(line: string, perform: (request: ControlRequest) => object): object {
  try {
    return { ok: true, ...perform(JSON.parse(line) as ControlRequest) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

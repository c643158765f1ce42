import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Concentrator } from "./concentrator.ts";
import { MISCHIEF_KINDS, type Mischief } from "./mischief.ts";

// For tests alone, as the town's control socket is: it makes concentrators lie.

const MAX_LINE_BYTES = 4096;

/** A control socket that is open. */
export interface Control {
  close(): Promise<void>;
}

/** Opens the control socket: one JSON request a line, one JSON answer a line. */
export async function openControl(path: string, concentrators: ReadonlyMap<string, Concentrator>): Promise<Control> {
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
      for (const line of lines) socket.write(`${JSON.stringify(answer(concentrators, line))}\n`);
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

function answer(concentrators: ReadonlyMap<string, Concentrator>, line: string): object {
  try {
    const request = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const concentrator = concentrators.get(String(request["concentrator"]));
    if (concentrator === undefined) throw new Error("no such concentrator");
    if (request["do"] === "misbehave") concentrator.passage.tell(mischiefOf(request));
    else if (request["do"] === "hang-up") concentrator.hangUp();
    else if (request["do"] !== "status") throw new Error("no such request");
    return { ok: true, connections: concentrator.connections, mischief: concentrator.passage.done };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

function mischiefOf(request: Readonly<Record<string, unknown>>): Mischief | undefined {
  const kind = MISCHIEF_KINDS.find((name) => name === request["kind"]);
  if (kind === undefined) {
    if (request["kind"] === null) return undefined;
    throw new Error("no such mischief");
  }
  const count = (name: string, otherwise: number): number => {
    const value = request[name] ?? otherwise;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is no count`);
    return value;
  };
  const { meter } = request;
  return {
    kind,
    times: count("times", 1),
    milliseconds: count("milliseconds", 0),
    to: request["to"] === "pushes" ? "pushes" : "answers",
    ...(typeof meter === "string" ? { meter } : {}),
  };
}

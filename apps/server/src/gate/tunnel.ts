import { createServer } from "node:net";
import { CHANNEL_GROUP } from "@meterkeep/api/custodian-channel";
import { connectTls, serverEnd, type TlsIdentity } from "@meterkeep/dlms-node";
import { socketIn } from "@meterkeep/postgres";
import { listenPrivately } from "../private-socket.ts";
import { carry, GATE_NAME, GATE_STREAMS, type GateStream, KEEP_ALIVE_MILLISECONDS } from "./streams.ts";

export interface TunnelOptions {
  readonly gate: { readonly host: string; readonly port: number };
  readonly identity: TlsIdentity;
  /** Of this process alone: where its sockets are. */
  readonly directory: string;
  onError(error: unknown): void;
}

/** Sockets on this machine that lead to what lies behind the gate, as on the machine where that is. */
export interface Tunnel extends AsyncDisposable {
  readonly custodian: string;
  readonly lines: string;
  /** The directory in which PostgreSQL seems to have its socket. */
  readonly database: string;
}

/**
 * Opens them. Whoever connects to one gets a stream of its own through the gate, which ends when either end does: a worker
 * then needs to know nothing of machines.
 */
export async function openTunnel({ gate, identity, directory, onError }: TunnelOptions): Promise<Tunnel> {
  await using stack = new AsyncDisposableStack();
  const listen = async (stream: Exclude<GateStream, "desk">, path: string): Promise<string> => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      const gone = new AbortController();
      socket.once("close", () => gone.abort());
      const peer = { peer: GATE_NAME, groups: CHANNEL_GROUP, protocols: [GATE_STREAMS[stream]], signal: gone.signal };
      connectTls({ ...gate, ...identity, ...peer }).then(
        (remote) => {
          remote.setKeepAlive(true, KEEP_ALIVE_MILLISECONDS);
          carry(socket, remote);
        },
        (error: unknown) => {
          socket.destroy();
          if (!gone.signal.aborted) onError(error);
        },
      );
    });
    stack.defer(serverEnd(server));
    await listenPrivately(server, path);
    return path;
  };
  const custodian = await listen("custodian", `${directory}/custodian.sock`);
  const lines = await listen("lines", `${directory}/lines.sock`);
  await listen("database", socketIn(directory));
  const open = stack.move();
  return { custodian, lines, database: directory, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

import { X509Certificate } from "node:crypto";
import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { CHANNEL_GROUP, FrameCutter, FrameWriter } from "@meterkeep/api/custodian-channel";
import type { Caller } from "../calls/caller.ts";
import { answer, type Dispatching } from "./dispatch.ts";

/** Who may connect, by certificate. */
export interface Principal extends Caller {
  /** PEM. */
  readonly certificate: string;
}

/** Where and as whom the custodian listens. */
export interface ChannelServerOptions extends Dispatching {
  readonly socketPath: string;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  readonly principals: readonly Principal[];
}

/** Requests of one connection that may be under way; beyond them its socket is not read. */
const MOST_UNDER_WAY = 256;
/** Answers that a caller has not read yet; beyond them none of its requests is begun. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;
const MOST_CONNECTIONS = 64;
const HANDSHAKE_MILLISECONDS = 10_000;
const SOCKET_MODE = 0o666;

/** A listening channel. */
export interface ChannelServer {
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket with TLS 1.3 and a certificate on both sides. The principal of a connection is the
 * certificate it proved; one that is not in the list does not get through the handshake.
 */
export async function listenOnChannel(options: ChannelServerOptions): Promise<ChannelServer> {
  const { socketPath, certificate, privateKey, principals } = options;
  const callers = new Map(principals.map((one) => [fingerprintOf(new X509Certificate(one.certificate)), one]));
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      cert: certificate,
      key: privateKey,
      ca: principals.map((one) => one.certificate),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      ecdhCurve: CHANNEL_GROUP,
      handshakeTimeout: HANDSHAKE_MILLISECONDS,
    },
    (socket) => {
      const proven = socket.getPeerX509Certificate();
      const principal = proven === undefined ? undefined : callers.get(fingerprintOf(proven));
      if (principal === undefined || !socket.authorized || sockets.size >= MOST_CONNECTIONS) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      serve(socket, { name: principal.name, role: principal.role }, options);
    },
  );
  // A handshake that fails concerns nobody but who tried it.
  server.on("tlsClientError", () => undefined);
  await rm(socketPath, { force: true });
  await listening(server, socketPath);
  // The folder decides who gets here; who gets on is decided by certificate.
  await chmod(socketPath, SOCKET_MODE);
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function serve(socket: TLSSocket, caller: Caller, dispatching: Dispatching): void {
  const cutter = new FrameCutter();
  const writer = new FrameWriter(socket);
  const waiting: Uint8Array[] = [];
  let underWay = 0;
  const handle = async (octets: Uint8Array): Promise<void> => {
    underWay += 1;
    try {
      const response = await answer(octets, caller, dispatching);
      if (!socket.destroyed) writer.write(response);
    } catch {
      // Not even a frame: there is nobody to be answered.
      socket.destroy();
    } finally {
      underWay -= 1;
      begin();
    }
  };
  /** A caller that asks and does not read must not fill our memory with answers: it waits until it has read. */
  const begin = (): void => {
    if (socket.destroyed) waiting.length = 0;
    while (underWay < MOST_UNDER_WAY && writer.queuedBytes + socket.writableLength <= MOST_UNREAD_BYTES) {
      const octets = waiting.shift();
      if (octets === undefined) break;
      void handle(octets);
    }
    if (waiting.length > 0) socket.pause();
    else if (socket.isPaused()) socket.resume();
  };
  socket.on("data", (chunk: Buffer) => {
    try {
      waiting.push(...cutter.push(chunk));
    } catch {
      socket.destroy();
    }
    begin();
  });
  socket.on("drain", begin);
  socket.on("error", () => undefined);
}

function listening(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint512;
}

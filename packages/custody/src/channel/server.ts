import { X509Certificate } from "node:crypto";
import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { CHANNEL_GROUP, FrameCutter, FrameWriter } from "@meterkeep/api/custodian-channel";
import { serverEnd } from "@meterkeep/dlms-node";
import { type AuthorityRecord, toPem } from "@meterkeep/pki";
import type { Caller } from "../calls/caller.ts";
import type { Pki } from "../pki/open-pki.ts";
import type { Custody } from "../service/custody.ts";
import { answer, type Dispatching } from "./dispatch.ts";
import { type RemoteWorker, remoteWorkerOf } from "./remote-workers.ts";

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
  /** Where workers on other machines may ask, by certificates that this PKI issued to them (ADR 0039). Nobody else's do. */
  readonly pki?: Pki;
  /** Hears of a worker that has no connection any more. */
  readonly gone?: Custody["gone"];
}

/** Requests of one connection that may be under way; beyond them its socket is not read. */
const MOST_UNDER_WAY = 256;
/** Answers that a caller has not read yet; beyond them none of its requests is begun. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;
const MOST_CONNECTIONS = 64;
/** Workers have one connection each. */
const MOST_WORKER_CONNECTIONS = 256;
const HANDSHAKE_MILLISECONDS = 10_000;
const SOCKET_MODE = 0o666;
/** How often is looked whether the workers that are connected still may: for what no revocation says, as time that is over. */
const LOOK_MILLISECONDS = 30_000;

/** A listening channel. */
export interface ChannelServer {
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket with TLS 1.3 and a certificate on both sides. The principal of a connection is the
 * certificate it proved: one of the list, or one of our PKI for a worker on another machine, whose octets a gate carries
 * here. Whoever has neither is not heard. A worker whose certificate is revoked is cut off at that moment.
 */
export async function listenOnChannel(options: ChannelServerOptions): Promise<ChannelServer> {
  const { socketPath, certificate, privateKey, principals, pki } = options;
  const callers = new Map(principals.map((one) => [fingerprintOf(new X509Certificate(one.certificate)), one]));
  const sockets = new Set<TLSSocket>();
  const workers = new Map<TLSSocket, RemoteWorker>();
  /** Counts what was revoked: who was looked up meanwhile is looked up again. */
  let revocations = 0;
  const rootsNow = async () => (pki === undefined ? [] : (await pki.authorities.all()).filter(isRoot));
  let roots = await rootsNow();
  const credential = () => ({
    cert: certificate,
    key: privateKey,
    ca: [...principals.map((one) => one.certificate), ...roots.map((root) => toPem("CERTIFICATE", root.certificate))],
    minVersion: "TLSv1.3" as const,
    ecdhCurve: CHANNEL_GROUP,
  });
  const keep = (socket: TLSSocket, caller: Caller): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(socket, caller, options);
  };
  /** Whom no list names may be a worker. Nothing is read from it before that is known. */
  const meet = async (socket: TLSSocket, proven: X509Certificate): Promise<void> => {
    const lookUp = async () => (pki === undefined ? undefined : await remoteWorkerOf(pki, new Uint8Array(proven.raw)));
    let [before, worker] = [revocations, await lookUp()];
    while (before !== revocations) [before, worker] = [revocations, await lookUp()];
    if (worker === undefined || socket.destroyed || workers.size >= MOST_WORKER_CONNECTIONS)
      return void socket.destroy();
    workers.set(socket, worker);
    socket.once("close", () => {
      workers.delete(socket);
      const { name } = worker.caller;
      const isGone = ![...workers.values()].some((other) => other.caller.name === name);
      // What it has left open would keep others from the same meters.
      if (isGone) options.gone?.(name).catch(options.onFailure);
    });
    keep(socket, worker.caller);
  };
  const server = createServer(
    {
      ...credential(),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MILLISECONDS,
    },
    (socket) => {
      const proven = socket.getPeerX509Certificate();
      if (proven === undefined || !socket.authorized || sockets.size - workers.size >= MOST_CONNECTIONS)
        return void socket.destroy();
      socket.on("error", () => undefined);
      const principal = callers.get(fingerprintOf(proven));
      if (principal !== undefined) return keep(socket, { name: principal.name, role: principal.role });
      meet(socket, proven).catch((error: unknown) => {
        socket.destroy();
        options.onFailure(error);
      });
    },
  );
  // A handshake that fails concerns nobody but who tried it.
  server.on("tlsClientError", () => undefined);
  const revoked = pki?.onRevoked((authority, serials) => {
    revocations += 1;
    for (const [socket, worker] of workers)
      if (worker.authority === authority && serials.includes(worker.serial)) socket.destroy();
  });
  const look = async (): Promise<void> => {
    const now = await rootsNow();
    if (now.length !== roots.length) {
      roots = now;
      server.setSecureContext(credential());
    }
    for (const [socket] of workers) await standsStill(socket);
  };
  const looking = setInterval(() => void look().catch(options.onFailure), LOOK_MILLISECONDS);
  const standsStill = async (socket: TLSSocket): Promise<void> => {
    const proven = socket.getPeerX509Certificate();
    const stands = pki && proven && (await remoteWorkerOf(pki, new Uint8Array(proven.raw)));
    if (stands === undefined) socket.destroy();
  };
  const end = serverEnd(server);
  await rm(socketPath, { force: true });
  await listening(server, socketPath);
  // The folder decides who gets here; who gets on is decided by certificate.
  await chmod(socketPath, SOCKET_MODE);
  return {
    close: async () => {
      clearInterval(looking);
      revoked?.[Symbol.dispose]();
      await end();
    },
  };
}

function serve(socket: TLSSocket, caller: Caller, dispatching: Dispatching): void {
  const cutter = new FrameCutter();
  const writer = new FrameWriter(socket);
  const waiting: Uint8Array[] = [];
  let underWay = 0;
  const respond = (response: Uint8Array): void => {
    if (!socket.destroyed) writer.write(response);
  };
  const handle = (octets: Uint8Array): void => {
    let response: Promise<Uint8Array> | Uint8Array;
    try {
      response = answer(octets, caller, dispatching);
    } catch {
      // Not even a frame: there is nobody to be answered.
      socket.destroy();
      return;
    }
    if (response instanceof Promise) {
      underWay += 1;
      // An answer that cannot be made ends the connection of who asked, never the custodian.
      const unanswered = (error: unknown): void => {
        socket.destroy();
        dispatching.onFailure(error);
      };
      void response
        .then(respond)
        .catch(unanswered)
        .finally(() => {
          underWay -= 1;
          begin();
        });
    } else respond(response);
  };
  /** A caller that asks and does not read must not fill our memory with answers: it waits until it has read. */
  const begin = (): void => {
    if (socket.destroyed) waiting.length = 0;
    while (underWay < MOST_UNDER_WAY && writer.queuedBytes + socket.writableLength <= MOST_UNREAD_BYTES) {
      const octets = waiting.shift();
      if (octets === undefined) break;
      handle(octets);
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

function isRoot({ parent }: AuthorityRecord): boolean {
  return parent === undefined;
}

function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint512;
}

import type { X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { serverEnd } from "@meterkeep/dlms-node";
import { Counts } from "../calls/counts.ts";
import type { EnrolledHeadEnd } from "../head-ends/head-ends.ts";
import type { Custody } from "../service/custody.ts";
import { type Answer, type Answering, answerer } from "./answer.ts";
import { RequestProblem } from "./problem.ts";

/** Where and as whom the key service listens. */
export interface KeyServiceOptions extends Answering, Pick<Custody, "headEnds"> {
  /** An address of this machine. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  /**
   * How long a head-end may take for its handshake, for its headers and for a whole request, in milliseconds; 5 000, 10 000 and 20 000 unless
   * given.
   */
  readonly patience?: {
    readonly handshakeMilliseconds?: number;
    readonly headersMilliseconds?: number;
    readonly requestMilliseconds?: number;
  };
}

/** A listening key service. */
export interface KeyService {
  readonly port: number;
  close(): Promise<void>;
}

/** What a connection has proven, and who that was when it was last looked up. */
interface Proven {
  readonly certificate: X509Certificate;
  readonly headEnd: EnrolledHeadEnd;
  readonly revision: number;
}

/** The hybrid group first: what is recorded today must not be read by the quantum computer of tomorrow. */
const GROUPS = "X25519MLKEM768:X25519:prime256v1:secp384r1";
const MOST_CONNECTIONS = 512;
/** Connections of one address that have proven nothing yet. */
const MOST_STRANGERS = 32;
/** Requests of one head-end that may be under way. */
const MOST_UNDER_WAY = 64;
const HANDSHAKE_MILLISECONDS = 5_000;
const HEADERS_MILLISECONDS = 10_000;
const REQUEST_MILLISECONDS = 20_000;
const IDLE_MILLISECONDS = 60_000;
const CHECK_MILLISECONDS = 1_000;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADERS = 64;

/**
 * Listens for head-ends over mutual TLS 1.3 (ADR 0018). Who is not enrolled is cut off where the handshake
 * ends, before anything is parsed; who has been removed since is refused at the next request.
 */
export async function listenForHeadEnds(options: KeyServiceOptions): Promise<KeyService> {
  const { headEnds, certificate, privateKey, patience } = options;
  const answer = answerer(options);
  const server = createServer(
    {
      cert: certificate,
      key: privateKey,
      requestCert: true,
      // No list of authorities, which would tell a stranger who is enrolled: who has proven a certificate is judged below.
      ca: [],
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      ecdhCurve: GROUPS,
      ALPNProtocols: ["http/1.1"],
      handshakeTimeout: patience?.handshakeMilliseconds ?? HANDSHAKE_MILLISECONDS,
      headersTimeout: patience?.headersMilliseconds ?? HEADERS_MILLISECONDS,
      requestTimeout: patience?.requestMilliseconds ?? REQUEST_MILLISECONDS,
      keepAliveTimeout: IDLE_MILLISECONDS,
      connectionsCheckingInterval: CHECK_MILLISECONDS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => void serve(request, response),
  );
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = MOST_CONNECTIONS;

  const strangers = new Counts();
  /** By address and port: the TLS socket is another object than the one that connected. */
  const handshakes = new Map<string, () => void>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    if (!strangers.enter(address, MOST_STRANGERS)) return void socket.destroy();
    const name = `${address}/${socket.remotePort}`;
    const end = (): void => {
      if (handshakes.delete(name)) strangers.leave(address);
    };
    handshakes.set(name, end);
    socket.once("close", end);
  });
  const connections = new Counts();
  const proven = new WeakMap<Socket, Proven>();
  // Before the HTTP parser gets the connection: a stranger does not reach it.
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    handshakes.get(`${socket.remoteAddress}/${socket.remotePort}`)?.();
    const certificate = socket.getPeerX509Certificate();
    const headEnd = certificate && headEnds.of(certificate);
    if (headEnd === undefined || !connections.enter(headEnd.record.name, headEnd.record.limits.connections))
      return void socket.destroy();
    proven.set(socket, { certificate: certificate as X509Certificate, headEnd, revision: headEnds.revision });
    socket.once("close", () => connections.leave(headEnd.record.name));
  });
  // A handshake that fails concerns nobody but who tried it.
  server.on("tlsClientError", () => undefined);
  server.on("clientError", (_, socket) => socket.destroy());

  /** By the certificate that this connection has proven, as it is enrolled now. */
  function headEndOf(socket: Socket): EnrolledHeadEnd | undefined {
    const known = proven.get(socket);
    if (known === undefined) return undefined;
    const isOver = options.now() > known.certificate.validToDate.getTime();
    if (known.revision !== headEnds.revision || isOver) {
      const headEnd = headEnds.of(known.certificate);
      if (headEnd === undefined) return undefined;
      proven.set(socket, { ...known, headEnd, revision: headEnds.revision });
      return headEnd;
    }
    return known.headEnd;
  }

  const underWay = new Counts();
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headEnd = headEndOf(request.socket);
    if (headEnd === undefined) {
      write(response, refusal(new RequestProblem("head-end-not-enrolled", "ask the operator of the custodian")));
      return;
    }
    const { name } = headEnd.record;
    if (!underWay.enter(name, MOST_UNDER_WAY)) {
      write(response, refusal(new RequestProblem("rate-limited", `${MOST_UNDER_WAY} requests are under way`)));
      return;
    }
    try {
      write(response, await answer(request, headEnd));
    } finally {
      underWay.leave(name);
    }
  }

  const close = serverEnd(server);
  await listening(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    close,
  };
}

function refusal(problem: RequestProblem): Answer {
  return { status: problem.status, type: "application/problem+json", body: problem };
}

function write(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  const headers = {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  // What is left of a body that was not read would be taken for the next request.
  response.writeHead(status, status === 200 ? headers : { ...headers, connection: "close" });
  response.end(text);
}

function listening(server: Server, { host, port }: Pick<KeyServiceOptions, "host" | "port">): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

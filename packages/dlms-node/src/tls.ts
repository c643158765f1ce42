import type { AddressInfo, Socket } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { serverEnd } from "./server-end.ts";
import type { TcpTarget } from "./tcp.ts";
import { cannotListen, type Listener, LOOPBACK } from "./tcp-listener.ts";
import { TransportError } from "./transport-error.ts";

/** What one end of a mutual TLS connection proves itself with, and whom it believes. PEM. */
export interface TlsIdentity {
  /** PKCS#8. */
  readonly privateKey: string;
  /** The own certificate, and those above it below the root. */
  readonly certificate: string;
  /** The roots that certificates of other ends must lead to. */
  readonly authorities: string;
}

/** Reads an identity that is kept as one text, so that it is replaced in one go: the private key, then the certificates. */
export function tlsIdentityIn(text: string, authorities: string): TlsIdentity {
  const end = text.indexOf("-----BEGIN CERTIFICATE-----");
  return { privateKey: text.slice(0, end), certificate: text.slice(end), authorities };
}

/** What both ends of a connection have to agree on beside certificates. */
export interface TlsAgreement {
  /** Groups for the key agreement, with colons; {@link TLS_GROUPS} unless given. */
  readonly groups?: string;
  /** What may be spoken inside (ALPN, RFC 7301): who speaks none of it gets no connection. Not negotiated unless given. */
  readonly protocols?: readonly string[];
}

export interface TlsTarget extends TcpTarget, TlsIdentity, TlsAgreement {
  /** The common name that the other end's certificate must have. */
  readonly peer: string;
}

/** The hybrid group first: what is recorded today must not be read by the quantum computer of tomorrow. */
export const TLS_GROUPS = "X25519MLKEM768:X25519:prime256v1:secp384r1";
const DEFAULT_CONNECT_TIMEOUT_MILLISECONDS = 10_000;
const HANDSHAKE_TIMEOUT_MILLISECONDS = 10_000;

/**
 * Connects over TLS 1.3 with certificates on both sides, and gives the socket when the other end has proven its own.
 *
 * @throws TransportError `connect-timeout`, `connection-failed` (also where the certificate is not the one wanted),
 * `exchange-aborted`.
 */
export function connectTls(target: TlsTarget): Promise<TLSSocket> {
  const { host, port, signal, peer } = target;
  const where = `${host}:${port}`;
  const timeout = target.connectTimeoutMilliseconds ?? DEFAULT_CONNECT_TIMEOUT_MILLISECONDS;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new TransportError("exchange-aborted", `connecting to ${where} was cancelled`, { cause: signal.reason }));
      return;
    }
    const socket = connect({
      host,
      port,
      ...secureOptions(target),
      rejectUnauthorized: true,
      checkServerIdentity: (_, { subject }) =>
        subject.CN === peer ? undefined : new Error(`its certificate is that of ${subject.CN}, not of ${peer}`),
    });
    socket.setNoDelay(true);
    const timer = setTimeout(
      () => fail(new TransportError("connect-timeout", `${where} did not answer within ${timeout} ms`)),
      timeout,
    );
    const abort = () =>
      fail(new TransportError("exchange-aborted", `connecting to ${where} was cancelled`, { cause: signal?.reason }));
    const onError = (cause: Error) =>
      fail(new TransportError("connection-failed", `no connection to ${where}: ${cause.message}`, { cause }));
    const onClose = () => fail(new TransportError("connection-failed", `${where} closed the connection at once`));
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      socket.off("error", onError);
      socket.off("close", onClose);
    };
    function fail(error: TransportError): void {
      settle();
      // A late error of a socket that is given up must not become an uncaught one.
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    }
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once("secureConnect", () => {
      settle();
      resolve(socket);
    });
  });
}

export interface TlsListenerOptions extends TlsIdentity, TlsAgreement {
  /** Loopback unless given. */
  readonly host?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  /** Connections beyond this many are closed at once; 4 unless given. */
  readonly maxConnections?: number;
  /** Connections of one address whose handshake is not over; more are closed at once. As many as in all unless given. */
  readonly maxHandshakesPerAddress?: number;
  /** Gets connections whose certificate leads to one of the roots, with the common name in it. */
  readonly onConnection: (socket: TLSSocket, peer: string) => void;
}

/** A listener that goes on with another certificate. */
export interface TlsListener extends Listener {
  /** From the next connection on it proves itself with this. */
  renew(identity: TlsIdentity): void;
}

/** Listens for TLS 1.3 with certificates on both sides. @throws TransportError `listen-failed`. */
export function listenTls(options: TlsListenerOptions): Promise<TlsListener> {
  const { host = LOOPBACK, port = 0, onConnection } = options;
  const server = createServer({
    ...secureOptions(options),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MILLISECONDS,
    noDelay: true,
  });
  server.maxConnections = options.maxConnections ?? 4;
  const handshakes = new Handshakes(options.maxHandshakesPerAddress ?? Number.POSITIVE_INFINITY);
  const end = serverEnd(server);
  server.on("connection", (socket) => {
    if (!handshakes.begin(socket)) socket.destroy();
  });
  server.on("secureConnection", (socket) => {
    handshakes.end(socket);
    socket.on("error", () => {});
    const peer = socket.getPeerCertificate().subject?.CN;
    if (typeof peer === "string") onConnection(socket, peer);
    else socket.destroy();
  });
  // A handshake that fails concerns nobody but who tried it.
  server.on("tlsClientError", () => {});
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(cannotListen("tcp", host, port, cause)));
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      const renew = (identity: TlsIdentity) => server.setSecureContext(secureOptions({ ...options, ...identity }));
      resolve({ host, port: (server.address() as AddressInfo).port, renew, [Symbol.asyncDispose]: end });
    });
  });
}

type Ends = Pick<Socket, "remoteAddress" | "remotePort">;

/** Counts handshakes under way, by address: who has proven nothing must not crowd out those who have. */
class Handshakes {
  readonly #most: number;
  /** Ports by address: the TLS socket is another object than the one that connected. */
  readonly #underWay = new Map<string, Set<number>>();

  constructor(most: number) {
    this.#most = most;
  }

  begin(socket: Socket): boolean {
    const { remoteAddress = "", remotePort = 0 } = socket;
    const ports = this.#underWay.get(remoteAddress) ?? new Set();
    if (ports.size >= this.#most) return false;
    this.#underWay.set(remoteAddress, ports.add(remotePort));
    socket.once("close", () => this.end({ remoteAddress, remotePort }));
    return true;
  }

  end({ remoteAddress = "", remotePort = 0 }: Ends): void {
    const ports = this.#underWay.get(remoteAddress);
    ports?.delete(remotePort);
    if (ports?.size === 0) this.#underWay.delete(remoteAddress);
  }
}

function secureOptions({ privateKey, certificate, authorities, groups, protocols }: TlsIdentity & TlsAgreement) {
  return {
    ...(protocols !== undefined && { ALPNProtocols: [...protocols] }),
    key: privateKey,
    cert: certificate,
    ca: authorities,
    minVersion: "TLSv1.3",
    ecdhCurve: groups ?? TLS_GROUPS,
  } as const;
}

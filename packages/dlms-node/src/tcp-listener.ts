import { type AddressInfo, createServer, type Socket } from "node:net";
import { serverEnd } from "./server-end.ts";
import { TransportError } from "./transport-error.ts";

export interface TcpListenerOptions {
  /** Loopback unless given. */
  readonly host?: string;
  /** 0, the default, lets the system choose; the listener's `port` tells. */
  readonly port?: number;
  /** Connections beyond this many are closed at once; 4 unless given: meters hold few. */
  readonly maxConnections?: number;
}

/** A listening port. Disposing closes it and every connection. */
export interface Listener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

export const LOOPBACK = "127.0.0.1";
const DEFAULT_MAX_CONNECTIONS = 4;

/** Listens on a TCP port. @throws TransportError `listen-failed`. */
export function listenTcp(options: TcpListenerOptions, onSocket: (socket: Socket) => void): Promise<Listener> {
  const { host = LOOPBACK, port = 0 } = options;
  const listener = createServer({ noDelay: true }, onSocket);
  const end = serverEnd(listener);
  listener.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    listener.once("error", (cause) => reject(cannotListen("tcp", host, port, cause)));
    listener.listen(port, host, () => {
      listener.removeAllListeners("error");
      resolve({ host, port: (listener.address() as AddressInfo).port, [Symbol.asyncDispose]: end });
    });
  });
}

/** The error of a port that cannot be listened on. */
export function cannotListen(transport: "tcp" | "udp", host: string, port: number, cause: Error): TransportError {
  const message = `cannot listen on ${transport}://${host}:${port}: ${cause.message}`;
  return new TransportError("listen-failed", message, { cause });
}

import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import type { Cancellation } from "@meterkeep/dlms";
import { TransportError } from "./transport-error.ts";

/** Where to connect to, and how long to try. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  /** Milliseconds until a connection that is not made counts as failed; 10 000 unless given. */
  readonly connectTimeoutMilliseconds?: number;
  readonly signal?: Cancellation;
}

const DEFAULT_CONNECT_TIMEOUT_MILLISECONDS = 10_000;

/**
 * Connects to a TCP port and gives the socket, ready to write, with Nagle's delay off.
 *
 * @throws TransportError `connect-timeout`, `connection-failed` (refused, unreachable, unknown name) or
 * `exchange-aborted`.
 */
export function connectTcp(target: TcpTarget): Promise<Socket> {
  const { host, port, signal } = target;
  const timeout = target.connectTimeoutMilliseconds ?? DEFAULT_CONNECT_TIMEOUT_MILLISECONDS;
  const where = `${host}:${port}`;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new TransportError("exchange-aborted", `connecting to ${where} was cancelled`, { cause: signal.reason }));
      return;
    }
    const socket = connect({ host, port, noDelay: true });
    const timer = setTimeout(
      () => fail(new TransportError("connect-timeout", `${where} did not answer within ${timeout} ms`)),
      timeout,
    );
    const abort = () =>
      fail(new TransportError("exchange-aborted", `connecting to ${where} was cancelled`, { cause: signal?.reason }));
    const onError = (cause: Error) =>
      fail(new TransportError("connection-failed", `no connection to ${where}: ${cause.message}`, { cause }));
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      socket.off("error", onError);
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
    socket.once("connect", () => {
      settle();
      resolve(socket);
    });
  });
}

/** Hears the octets that arrive. A stream without an encoding gives buffers alone, though its type says text as well. */
export function onOctets(stream: Readable, take: (chunk: Uint8Array) => void): void {
  stream.on("data", (chunk: Uint8Array | string) => {
    if (typeof chunk !== "string") take(chunk);
  });
  // It may have been paused when it was handed over.
  stream.resume();
}

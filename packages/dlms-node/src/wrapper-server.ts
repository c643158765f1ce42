import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { encodeWrapper } from "@meterkeep/dlms";
import { onOctets } from "./tcp.ts";
import { TransportError } from "./transport-error.ts";
import { type WrapperApdu, WrapperFrames } from "./wrapper-frames.ts";

/** What answers APDUs: `CosemServer` of `@meterkeep/dlms` is one. */
export interface ApduServer<Connection> {
  /** A client at `clientSap` speaks to the logical device at `serverSap` for the first time on this connection. */
  connect(clientSap: number, serverSap: number): Connection;
  /** The answer, or undefined where there is none. */
  handle(connection: Connection, apdu: Uint8Array): Uint8Array | undefined;
  /** What has to be sent right after that answer, in order: blocks in a row. */
  following?(connection: Connection): readonly Uint8Array[];
  /** The client is gone. */
  disconnect(connection: Connection): void;
}

export interface WrapperListenerOptions<Connection> {
  readonly server: ApduServer<Connection>;
  /** Loopback unless given. */
  readonly host?: string;
  /** 0, the default, lets the system choose; `WrapperListener.port` tells. */
  readonly port?: number;
  /** Connections beyond this many are closed at once; 4 unless given: meters hold few. */
  readonly maxConnections?: number;
  /** Milliseconds of silence after which a connection is closed; 300 000 unless given. */
  readonly idleTimeoutMilliseconds?: number;
  /** Stands between the server and the line: a virtual meter delays, repeats, cuts or withholds its answers here. */
  readonly transmit?: (apdu: Uint8Array, line: TransmitLine) => void;
}

/** What `transmit` can do with an answer. */
export interface TransmitLine {
  /** Sends an APDU in a wrapper; no effect once the connection is closed. */
  send(apdu: Uint8Array): void;
  /** Sends octets as they are. */
  sendRaw(octets: Uint8Array): void;
  /** Resets the connection. */
  drop(): void;
}

/** A listening meter. Disposing closes the port and every connection. */
export interface WrapperListener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = "127.0.0.1";
const DEFAULT_MAX_CONNECTIONS = 4;
const DEFAULT_IDLE_TIMEOUT_MILLISECONDS = 300_000;
/** Pairs of service access points on one connection: a hostile client must not make the meter hold more. */
const MAX_SAP_PAIRS = 16;

/** Listens for wrapper connections and answers with `server`. @throws TransportError `listen-failed`. */
export function listenWrapper<Connection>(options: WrapperListenerOptions<Connection>): Promise<WrapperListener> {
  const host = options.host ?? LOOPBACK;
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serveSocket(socket, options);
  });
  listener.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    listener.once("error", (cause) =>
      reject(
        new TransportError("listen-failed", `cannot listen on ${host}:${options.port ?? 0}: ${cause.message}`, {
          cause,
        }),
      ),
    );
    listener.listen(options.port ?? 0, host, () => {
      listener.removeAllListeners("error");
      const { port } = listener.address() as AddressInfo;
      resolve({ host, port, [Symbol.asyncDispose]: () => close(listener, sockets) });
    });
  });
}

async function close(listener: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => listener.close(() => resolve()));
}

function serveSocket<Connection>(socket: Socket, options: WrapperListenerOptions<Connection>): void {
  const { server, transmit } = options;
  const frames = new WrapperFrames();
  const connections = new Map<number, Connection>();
  socket.setTimeout(options.idleTimeoutMilliseconds ?? DEFAULT_IDLE_TIMEOUT_MILLISECONDS, () => socket.destroy());
  // A client that resets the connection is no fault of the meter; "close" follows and cleans up.
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const connection of connections.values()) server.disconnect(connection);
  });
  onOctets(socket, (chunk) => {
    try {
      for (const frame of frames.push(chunk)) answer(frame);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      socket.destroy();
    }
  });

  function answer({ source, destination, apdu }: WrapperApdu): void {
    const pair = source * 0x10000 + destination;
    let connection = connections.get(pair);
    if (connection === undefined) {
      if (connections.size >= MAX_SAP_PAIRS) throw new TransportError("frame-malformed", "too many SAP pairs");
      connection = server.connect(source, destination);
      connections.set(pair, connection);
    }
    const response = server.handle(connection, apdu);
    if (response === undefined) return;
    const line: TransmitLine = {
      send: (answered) => line.sendRaw(encodeWrapper(destination, source, answered)),
      sendRaw: (octets) => {
        if (socket.writable) socket.write(octets);
      },
      drop: () => socket.resetAndDestroy(),
    };
    for (const octets of [response, ...(server.following?.(connection) ?? [])])
      if (transmit === undefined) line.send(octets);
      else transmit(octets, line);
  }
}

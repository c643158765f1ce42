import type { Socket } from "node:net";
import { type ApduServer, answersOf, type Transmit, type TransmitLine } from "./apdu-server.ts";
import { onOctets } from "./tcp.ts";
import { type Listener, listenTcp, type TcpListenerOptions } from "./tcp-listener.ts";
import { TransportError } from "./transport-error.ts";
import { type WrapperApdu, WrapperFrames, wrapped } from "./wrapper-frames.ts";

export interface WrapperListenerOptions<Connection> extends TcpListenerOptions {
  readonly server: ApduServer<Connection>;
  /** The logical devices that are here; frames to others are dropped. All are taken to be unless given. */
  readonly serverSaps?: readonly number[];
  /** Octets of the longest APDU taken; 65 535 unless given. A longer one ends the connection. */
  readonly maxApduBytes?: number;
  /** Milliseconds of silence after which a connection is closed; 300 000 unless given. */
  readonly idleTimeoutMilliseconds?: number;
  /** Stands between the server and the line: a virtual meter delays, repeats, cuts or withholds its answers here. */
  readonly transmit?: Transmit;
}

const DEFAULT_IDLE_TIMEOUT_MILLISECONDS = 300_000;
/** Pairs of service access points on one connection: a hostile client must not make the meter hold more. */
const MAX_SAP_PAIRS = 16;

/** Listens for wrapper connections and answers with `server`. @throws TransportError `listen-failed`. */
export function listenWrapper<Connection>(options: WrapperListenerOptions<Connection>): Promise<Listener> {
  return listenTcp(options, (socket) => serveSocket(socket, options));
}

function serveSocket<Connection>(socket: Socket, options: WrapperListenerOptions<Connection>): void {
  const { server, transmit, serverSaps } = options;
  const frames = new WrapperFrames(options.maxApduBytes);
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
    if (serverSaps?.includes(destination) === false) return;
    const pair = source * 0x10000 + destination;
    let connection = connections.get(pair);
    if (connection === undefined) {
      if (connections.size >= MAX_SAP_PAIRS) throw new TransportError("frame-malformed", "too many SAP pairs");
      connection = server.connect(source, destination);
      connections.set(pair, connection);
    }
    const line: TransmitLine = {
      send: (answered) => line.sendRaw(wrapped(destination, source, answered)),
      sendRaw: (octets) => {
        if (socket.writable) socket.write(octets);
      },
      drop: () => socket.resetAndDestroy(),
    };
    for (const octets of answersOf(server, connection, apdu))
      if (transmit === undefined) line.send(octets);
      else transmit(octets, line);
  }
}

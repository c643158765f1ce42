import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  type HdlcPeer,
  HdlcServer,
  type HdlcServerAction,
  type HdlcServerEvent,
  type HdlcServerOptions,
} from "@meterkeep/dlms";
import type { ApduServer, Transmit, TransmitLine } from "./apdu-server.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { PeerConnections } from "./peer-connections.ts";
import { onOctets } from "./tcp.ts";
import { type Listener, listenTcp, type TcpListenerOptions } from "./tcp-listener.ts";

/** A server on a line that speaks HDLC. */
export interface HdlcLineOptions<Connection> extends HdlcServerOptions {
  readonly server: ApduServer<Connection>;
  /** Stands between the server and the line: a virtual meter delays, repeats, cuts or withholds its answers here. */
  readonly transmit?: Transmit;
}

export interface HdlcListenerOptions<Connection>
  extends Omit<HdlcLineOptions<Connection>, "maxConnections">,
    TcpListenerOptions {
  /** Milliseconds of silence after which a connection is closed; 300 000 unless given. */
  readonly idleTimeoutMilliseconds?: number;
  /** Called with each new line, to send pushes on. */
  readonly onLine?: (notify: HdlcNotify) => void;
}

const DEFAULT_IDLE_TIMEOUT_MILLISECONDS = 300_000;

/** Listens for HDLC over TCP and answers with `server`. @throws TransportError `listen-failed`. */
export function listenHdlc<Connection>(options: HdlcListenerOptions<Connection>): Promise<Listener> {
  const { maxConnections, idleTimeoutMilliseconds = DEFAULT_IDLE_TIMEOUT_MILLISECONDS, onLine, ...line } = options;
  return listenTcp(options, (socket: Socket) => {
    socket.setTimeout(idleTimeoutMilliseconds, () => socket.destroy());
    const notify = serveHdlc(socket, line, () => socket.resetAndDestroy());
    onLine?.(notify);
  });
}

/** Sends an APDU to a client unasked (UI frames). */
export type HdlcNotify = (peer: HdlcPeer, apdu: Uint8Array) => void;

/** Serves one line, a serial one for instance, until its stream closes. `drop` is what `TransmitLine.drop` does. */
export function serveHdlc<Connection>(
  stream: Duplex,
  options: HdlcLineOptions<Connection>,
  drop: () => void = () => stream.destroy(),
): HdlcNotify {
  const { server, transmit } = options;
  const machine = new HdlcServer(options);
  const connections = new PeerConnections<HdlcPeer, Connection>(server);
  const timer = new DeadlineTimer(() => step({ kind: "time" }));
  // A client that resets the connection is no fault of the meter; "close" follows and cleans up.
  stream.on("error", () => {});
  stream.on("close", () => {
    timer.clear();
    connections.disconnectAll();
  });
  onOctets(stream, (octets) => step({ kind: "octets", octets }));
  return (peer, apdu) => step({ kind: "notify", peer, apdu });

  function step(event: HdlcServerEvent): void {
    for (const action of machine.step(event, performance.now())) perform(action);
    timer.set(stream.destroyed ? undefined : machine.deadline);
  }

  function perform(action: HdlcServerAction): void {
    switch (action.kind) {
      case "transmit":
        if (stream.writable) stream.write(action.octets);
        break;
      case "connected":
        connections.connect(action.peer, action.peer.clientAddress, action.peer.logicalDevice);
        break;
      case "disconnected":
        connections.disconnect(action.peer);
        break;
      case "apdu":
        answer(action.peer, action.apdu);
        break;
      case "datagram":
        takeDatagram(action.peer, action.apdu);
        break;
      default:
        action satisfies never;
    }
  }

  function answer(peer: HdlcPeer, apdu: Uint8Array): void {
    const apdus = connections.answersTo(peer, apdu);
    const respond = (answers: readonly Uint8Array[]) => step({ kind: "respond", peer, apdus: answers });
    if (transmit === undefined || apdus.length === 0) {
      respond(apdus);
      return;
    }
    const line: TransmitLine = {
      send: (answered) => respond([answered]),
      sendRaw: (octets) => {
        if (stream.writable) stream.write(octets);
      },
      drop,
    };
    for (const octets of apdus) transmit(octets, line);
  }

  /** Unconfirmed services outside a connection, to an association that is pre-established: nothing answers. */
  function takeDatagram(peer: HdlcPeer, apdu: Uint8Array): void {
    const connection = server.connect(peer.clientAddress, peer.logicalDevice);
    server.handle(connection, apdu);
    server.disconnect(connection);
  }
}

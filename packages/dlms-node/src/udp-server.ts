import { createSocket } from "node:dgram";
import {
  type DatagramPeer,
  DatagramServer,
  type DatagramServerAction,
  type DatagramServerEvent,
  type DatagramServerOptions,
} from "@meterkeep/dlms";
import type { ApduServer, Transmit, TransmitLine } from "./apdu-server.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { PeerConnections } from "./peer-connections.ts";
import { cannotListen, type Listener, LOOPBACK } from "./tcp-listener.ts";

export interface UdpListenerOptions<Connection> extends DatagramServerOptions {
  readonly server: ApduServer<Connection>;
  /** Loopback unless given. */
  readonly host?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  /** Stands between the server and the line: a virtual meter delays, repeats, cuts or withholds its answers here. */
  readonly transmit?: Transmit;
}

/** Answers wrapper datagrams with `server`. @throws TransportError `listen-failed`. */
export function listenWrapperUdp<Connection>(options: UdpListenerOptions<Connection>): Promise<Listener> {
  const { server, transmit, host = LOOPBACK, port = 0 } = options;
  const machine = new DatagramServer(options);
  const connections = new PeerConnections<DatagramPeer, Connection>(server);
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const timer = new DeadlineTimer(() => step({ kind: "time" }));
  socket.on("message", (octets, { address, port: remote }) =>
    step({ kind: "datagram", from: `${address} ${remote}`, octets }),
  );
  return new Promise((resolve, reject) => {
    socket.once("error", (cause) => reject(cannotListen("udp", host, port, cause)));
    socket.bind(port, host, () => {
      socket.removeAllListeners("error");
      // An ICMP error of an earlier answer is no reason to stop listening.
      socket.on("error", () => {});
      resolve({ host, port: socket.address().port, [Symbol.asyncDispose]: stop });
    });
  });

  async function stop(): Promise<void> {
    timer.clear();
    connections.disconnectAll();
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  function step(event: DatagramServerEvent): void {
    for (const action of machine.step(event, performance.now())) perform(action);
    timer.set(machine.deadline);
  }

  function perform(action: DatagramServerAction): void {
    switch (action.kind) {
      case "transmit": {
        const [address, remote] = action.to.split(" ");
        socket.send(action.octets, Number(remote), address, () => {});
        break;
      }
      case "connected":
        connections.connect(action.peer, action.peer.clientSap, action.peer.serverSap);
        break;
      case "forgotten":
        connections.disconnect(action.peer);
        break;
      case "apdu":
        answer(action.peer, action.apdu);
        break;
      default:
        action satisfies never;
    }
  }

  function answer(peer: DatagramPeer, apdu: Uint8Array): void {
    const line: TransmitLine = {
      send: (answered) => step({ kind: "respond", peer, apdus: [answered] }),
      sendRaw: (octets) => perform({ kind: "transmit", to: peer.from, octets }),
      // There is no connection to reset: the client hears nothing.
      drop: () => {},
    };
    for (const octets of connections.answersTo(peer, apdu))
      if (transmit === undefined) line.send(octets);
      else transmit(octets, line);
  }
}

import type { Duplex } from "node:stream";
import { type MbusPeer, MbusServer, type MbusServerAction, type MbusServerOptions } from "@meterkeep/dlms";
import type { ApduServer } from "./apdu-server.ts";
import { PeerConnections } from "./peer-connections.ts";
import { onOctets } from "./tcp.ts";

export interface MbusLineOptions<Connection> extends MbusServerOptions {
  readonly server: ApduServer<Connection>;
  /** Milliseconds of silence after which a frame that has begun is dropped; 500 unless given: TCP may cut frames. */
  readonly pauseMilliseconds?: number;
}

const DEFAULT_PAUSE_MILLISECONDS = 500;

/** Serves a wired M-Bus as a slave until its stream closes. */
export function serveMbus<Connection>(stream: Duplex, options: MbusLineOptions<Connection>): void {
  const { server, pauseMilliseconds = DEFAULT_PAUSE_MILLISECONDS } = options;
  const machine = new MbusServer(options);
  const connections = new PeerConnections<MbusPeer, Connection>(server);
  let timer: NodeJS.Timeout | undefined;
  stream.on("error", () => {});
  stream.on("close", () => {
    clearTimeout(timer);
    connections.disconnectAll();
  });
  onOctets(stream, (octets) => {
    clearTimeout(timer);
    for (const action of machine.step({ kind: "octets", octets })) perform(action);
    timer = setTimeout(() => machine.pause(), pauseMilliseconds);
  });

  function perform(action: MbusServerAction): void {
    switch (action.kind) {
      case "transmit":
        if (stream.writable) stream.write(action.octets);
        break;
      case "connected":
        connections.connect(action.peer, action.peer.clientSap, action.peer.serverSap);
        break;
      case "disconnected":
        connections.disconnect(action.peer);
        break;
      case "apdu": {
        const { peer, apdu } = action;
        machine.step({ kind: "respond", peer, apdus: connections.answersTo(peer, apdu) });
        break;
      }
      default:
        action satisfies never;
    }
  }
}

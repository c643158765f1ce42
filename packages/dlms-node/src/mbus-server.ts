import type { Duplex } from "node:stream";
import { type MbusPeer, MbusServer, type MbusServerAction, type MbusServerOptions } from "@meterkeep/dlms";
import { type ApduServer, answersOf } from "./apdu-server.ts";
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
  const connections = new Map<MbusPeer, Connection>();
  let timer: NodeJS.Timeout | undefined;
  stream.on("error", () => {});
  stream.on("close", () => {
    clearTimeout(timer);
    for (const connection of connections.values()) server.disconnect(connection);
    connections.clear();
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
        connections.set(action.peer, server.connect(action.peer.clientSap, action.peer.serverSap));
        break;
      case "disconnected": {
        const connection = connections.get(action.peer);
        connections.delete(action.peer);
        if (connection !== undefined) server.disconnect(connection);
        break;
      }
      case "apdu": {
        const connection = connections.get(action.peer);
        if (connection === undefined) return;
        const apdus = answersOf(server, connection, action.apdu);
        machine.step({ kind: "respond", peer: action.peer, apdus });
        break;
      }
      default:
        action satisfies never;
    }
  }
}

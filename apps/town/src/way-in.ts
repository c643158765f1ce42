import { fromHex, toHex } from "@meterkeep/dlms";
import {
  type ApduServer,
  gatewayServer,
  type Listener,
  listenHdlc,
  listenWrapper,
  listenWrapperUdp,
  type Transmit,
  type TransmitLine,
} from "@meterkeep/dlms-node";
import { flipped, type LineFault, type MeterConnection, SERVER_SAP, type VirtualMeter } from "@meterkeep/meter";
import type { Durability } from "./meter-line.ts";

/** How meters are reached that have no wrapper port of their own. */
export const WAYS_IN = ["udp", "hdlc", "gateway"] as const;
export type WayIn = (typeof WAYS_IN)[number];

/** Where a meter listens in another way, and the route by which a head-end gets there. */
export interface OpenedWayIn {
  readonly listener: Listener;
  readonly route: string;
}

const HDLC_DEVICE = 17;
const GATEWAY_NETWORK = 0;
/** One client, and one whose end nobody has noticed yet. */
const MOST_CLIENTS = 2;

/** Opens a meter over UDP, over HDLC on TCP, or behind a gateway that serves it alone. */
export async function openWayIn(
  way: WayIn,
  meter: VirtualMeter,
  durability: Durability,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<OpenedWayIn> {
  const { server, transmit } = served(meter, durability);
  switch (way) {
    case "udp": {
      const listener = await listenWrapperUdp({ server, transmit, host, port });
      return { listener, route: `udp://${host}:${listener.port}?network=lan` };
    }
    case "hdlc": {
      const listener = await listenHdlc({
        server,
        transmit,
        host,
        port,
        maxConnections: MOST_CLIENTS,
        logicalDevices: [SERVER_SAP],
        physicalDevice: HDLC_DEVICE,
      });
      return { listener, route: `hdlc://${host}:${listener.port}?device=${HDLC_DEVICE}&network=lan` };
    }
    case "gateway": {
      const { systemTitle } = meter.record;
      const own = toHex(fromHex(systemTitle));
      const find = ({ physicalAddress }: { readonly physicalAddress: Uint8Array }) =>
        toHex(physicalAddress) === own ? server : undefined;
      const listener = await listenWrapper({
        server: gatewayServer(server, find),
        transmit,
        host,
        port,
        maxConnections: MOST_CLIENTS,
      });
      return {
        listener,
        route: `tcp://${host}:${listener.port}?gateway=${GATEWAY_NETWORK}/${systemTitle}&network=lan`,
      };
    }
    default:
      return way satisfies never;
  }
}

/** The meter as what answers on a line: its answers go out when what they rest on is in memory, with the faults it was told to have. */
function served(
  meter: VirtualMeter,
  durability: Durability,
): { readonly server: ApduServer<MeterConnection>; readonly transmit: Transmit } {
  const following = new WeakMap<MeterConnection, readonly Uint8Array[]>();
  let fault: LineFault | undefined;
  const server: ApduServer<MeterConnection> = {
    connect: (client, logicalDevice) => meter.connect(client, logicalDevice),
    handle: (connection, apdu) => {
      const answer = meter.serve(connection, apdu);
      ({ fault } = answer);
      following.set(connection, answer.following ?? []);
      return answer.response;
    },
    following: (connection) => following.get(connection) ?? [],
    disconnect: (connection) => {
      meter.disconnect(connection);
      meter.rest();
    },
  };
  // What is transmitted is the answer to what was handled last: both happen in one go.
  const transmit: Transmit = (apdu, line) => {
    const injected = fault;
    durability.afterCommit(() => send(meter, injected, apdu, line));
  };
  return { server, transmit };
}

function send(meter: VirtualMeter, fault: LineFault | undefined, apdu: Uint8Array, line: TransmitLine): void {
  switch (fault?.kind) {
    case "drop":
      return;
    case "delay":
      setTimeout(() => line.send(apdu), fault.milliseconds).unref();
      return;
    case "duplicate":
      line.send(apdu);
      line.send(apdu);
      return;
    case "flip":
      line.send(flipped(apdu, fault.bit));
      return;
    case "truncate":
      line.send(apdu.subarray(0, fault.octets));
      return;
    case "reset":
      line.drop();
      return;
    case "crash-before":
    case "crash-after":
      line.drop();
      meter.powerCycle();
      return;
    default:
      line.send(apdu);
  }
}

import { DecodeError, encodeGateway, type GatewayAddress, type GatewayApdu, readGateway, toHex } from "@meterkeep/dlms";
import { type ApduServer, answersOf } from "./apdu-server.ts";

/** A client of a gateway: its connection to the gateway itself, and to each device behind that it has spoken to. */
export interface GatewayConnection<Connection> {
  readonly clientSap: number;
  readonly serverSap: number;
  readonly own: Connection;
  readonly devices: Map<string, { readonly device: ApduServer<Connection>; readonly connection: Connection }>;
  following: readonly Uint8Array[];
}

/** Devices that one client may speak to at once through a gateway. */
const MOST_DEVICES = 16;

/**
 * Serves the devices behind a gateway beside the gateway itself: APDUs with the prefix of the gateway protocol go to the
 * device that `find` gives, and its answers come back with the prefix. What is for an unknown device, or carries a
 * prefix that cannot be read, is dropped (Green Book 10.10).
 */
export function gatewayServer<Connection>(
  own: ApduServer<Connection>,
  find: (address: GatewayAddress) => ApduServer<Connection> | undefined,
): ApduServer<GatewayConnection<Connection>> {
  return {
    connect: (clientSap, serverSap) => ({
      clientSap,
      serverSap,
      own: own.connect(clientSap, serverSap),
      devices: new Map(),
      following: [],
    }),
    handle(client, octets) {
      const [answer, ...following] = answersTo(client, octets);
      client.following = following;
      return answer;
    },
    following: (client) => client.following,
    disconnect(client) {
      own.disconnect(client.own);
      for (const { device, connection } of client.devices.values()) device.disconnect(connection);
    },
  };

  function answersTo(client: GatewayConnection<Connection>, octets: Uint8Array): readonly Uint8Array[] {
    const routed = read(octets);
    if (routed === undefined) return answersOf(own, client.own, octets);
    if (routed === "unreadable" || routed.kind !== "request") return [];
    const entry = deviceOf(client, routed);
    if (entry === undefined) return [];
    const answers = answersOf(entry.device, entry.connection, routed.apdu);
    return answers.map((apdu) => encodeGateway({ ...routed, kind: "response", apdu }));
  }

  function deviceOf(client: GatewayConnection<Connection>, address: GatewayAddress) {
    const key = `${address.networkId} ${toHex(address.physicalAddress)}`;
    const known = client.devices.get(key);
    if (known !== undefined) return known;
    const device = find(address);
    if (device === undefined || client.devices.size >= MOST_DEVICES) return undefined;
    const entry = { device, connection: device.connect(client.clientSap, client.serverSap) };
    client.devices.set(key, entry);
    return entry;
  }
}

function read(octets: Uint8Array): GatewayApdu | "unreadable" | undefined {
  try {
    return readGateway(octets);
  } catch (error) {
    if (error instanceof DecodeError) return "unreadable";
    throw error;
  }
}

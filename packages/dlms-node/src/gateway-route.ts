import {
  DecodeError,
  encodeGateway,
  equalBytes,
  type GatewayAddress,
  type GatewayApdu,
  readGateway,
} from "@meterkeep/dlms";

export interface GatewaySettings {
  /** The device behind the one that is connected to, which is then a gateway to it. */
  readonly gateway?: GatewayAddress;
}

/** Puts the prefix of the gateway protocol before what goes out, and takes it from what comes in. */
export interface GatewayRoute {
  outward(apdu: Uint8Array): Uint8Array;
  /** The APDU from the device that is spoken to; undefined for one from somebody else. */
  inward(octets: Uint8Array): Uint8Array | undefined;
}

/** The way to a device behind a gateway, or straight to the one connected to where none is given. */
export function gatewayRoute({ gateway }: GatewaySettings): GatewayRoute {
  if (gateway === undefined) return { outward: (apdu) => apdu, inward: (octets) => octets };
  return {
    outward: (apdu) => encodeGateway({ ...gateway, kind: "request", apdu }),
    inward: (octets) => {
      const came = read(octets);
      const isOurs =
        came?.kind === "response" &&
        came.networkId === gateway.networkId &&
        equalBytes(came.physicalAddress, gateway.physicalAddress);
      return isOurs ? came.apdu : undefined;
    },
  };
}

function read(octets: Uint8Array): GatewayApdu | undefined {
  try {
    return readGateway(octets);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

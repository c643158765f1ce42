import { concatBytes } from "../bytes.ts";
import { Reader } from "../codec/reader.ts";
import { DlmsError } from "../errors.ts";

/** First octets of APDUs that go through a gateway (Green Book 10.10): to a device behind it, and from one. */
export const GATEWAY_TAGS = { request: 0xe6, response: 0xe7 } as const;
/** The length of an address has one octet. */
const MOST_ADDRESS_BYTES = 255;

/** A device behind a gateway, for instance a gas meter behind an electricity meter. */
export interface GatewayAddress {
  /** The network that the gateway reaches the device over, as the gateway numbers them; 0 where it has but one. */
  readonly networkId: number;
  /** The device's address in that network. */
  readonly physicalAddress: Uint8Array;
}

/** An APDU with the prefix of the gateway protocol. */
export interface GatewayApdu extends GatewayAddress {
  readonly kind: keyof typeof GATEWAY_TAGS;
  /** The APDU behind the prefix. A view of the input. */
  readonly apdu: Uint8Array;
}

/** Whether an APDU carries the prefix. */
export function isGatewayApdu(octets: Uint8Array): boolean {
  return octets[0] === GATEWAY_TAGS.request || octets[0] === GATEWAY_TAGS.response;
}

/** Puts the prefix before an APDU. @throws DlmsError `out-of-range` where network or address do not fit. */
export function encodeGateway({ kind, networkId, physicalAddress, apdu }: GatewayApdu): Uint8Array {
  if (!Number.isInteger(networkId) || networkId < 0 || networkId > 0xff)
    throw new DlmsError("out-of-range", `gateway network ${networkId}: 0 to 255 fit`);
  if (physicalAddress.length > MOST_ADDRESS_BYTES)
    throw new DlmsError("out-of-range", `a gateway address of ${physicalAddress.length} octets: at most 255`);
  const prefix = Uint8Array.of(GATEWAY_TAGS[kind], networkId, physicalAddress.length);
  return concatBytes(prefix, physicalAddress, apdu);
}

/** Reads the prefix; undefined where there is none. @throws DecodeError `truncated` where the prefix is cut off. */
export function readGateway(octets: Uint8Array): GatewayApdu | undefined {
  if (!isGatewayApdu(octets)) return undefined;
  const r = new Reader(octets);
  const kind = r.unsigned8() === GATEWAY_TAGS.request ? "request" : "response";
  const networkId = r.unsigned8();
  const physicalAddress = r.octets(r.unsigned8());
  return { kind, networkId, physicalAddress, apdu: octets.subarray(r.offset) };
}

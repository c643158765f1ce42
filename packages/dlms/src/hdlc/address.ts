import { fromHex, toHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";

/** Octets that a server address may have. Client addresses have one. */
export type ServerAddressBytes = 1 | 2 | 4;

/**
 * Where a logical device is on an HDLC line (IEC 62056-46, 6.4.2): the upper address selects the logical device, the
 * lower one the physical device on a shared line.
 */
export interface HdlcServerAddress {
  readonly logicalDevice: number;
  /** Absent where the address has one octet. */
  readonly physicalDevice?: number | undefined;
  /** The shortest that holds both unless given; meters often accept one length only. */
  readonly bytes?: ServerAddressBytes | undefined;
}

/** Reserved client addresses (IEC 62056-46, 6.4.2.3). */
export const CLIENT_ADDRESSES = {
  noStation: 0,
  managementProcess: 0x01,
  publicClient: 0x10,
  allStations: 0x7f,
} as const;

/** Reserved addresses of one and two octets, and their forms in four. */
const RESERVED = {
  allStations: { short: 0x7f, long: 0x3fff },
  callingDevice: { short: 0x7e, long: 0x3ffe },
} as const;

/** Writes a client address. @throws DlmsError `out-of-range` beyond 7 bits. */
export function clientAddressOctets(client: number): Uint8Array {
  return Uint8Array.of((sevenBits("client address", client) << 1) | 1);
}

/** Writes a server address in 1, 2 or 4 octets. @throws DlmsError `out-of-range` where it does not fit. */
export function serverAddressOctets(address: HdlcServerAddress): Uint8Array {
  const { logicalDevice, physicalDevice, bytes = shortest(address) } = address;
  if (bytes === 1) {
    if (physicalDevice !== undefined)
      throw new DlmsError(
        "out-of-range",
        `physical device ${physicalDevice} in an address of 1 octet: 2 or 4 are needed`,
      );
    return Uint8Array.of((sevenBits("logical device", logicalDevice) << 1) | 1);
  }
  const lower = physicalDevice ?? 0;
  if (bytes === 2)
    return Uint8Array.of(
      sevenBits("logical device", logicalDevice) << 1,
      (sevenBits("physical device", lower) << 1) | 1,
    );
  const [upperHigh, upperLow] = fourteenBits("logical device", logicalDevice);
  const [lowerHigh, lowerLow] = fourteenBits("physical device", lower);
  return Uint8Array.of(upperHigh, upperLow, lowerHigh, lowerLow | 1);
}

/** The address that all servers of a line hear, in the length that `like` has. */
export function broadcastAddress({ bytes, ...like }: HdlcServerAddress): HdlcServerAddress {
  const length = bytes ?? shortest(like);
  const form = length === 4 ? "long" : "short";
  const all = RESERVED.allStations[form];
  return length === 1 ? { logicalDevice: all, bytes: 1 } : { logicalDevice: all, physicalDevice: all, bytes: length };
}

/** Reads an address from its octets in hex, as `HdlcFrame` has it. */
export function readServerAddress(hex: string): HdlcServerAddress {
  const octets = fromHex(hex);
  const value = (at: number) => (octets[at] ?? 0) >> 1;
  if (octets.length === 1) return { logicalDevice: value(0), bytes: 1 };
  if (octets.length === 2) return { logicalDevice: value(0), physicalDevice: value(1), bytes: 2 };
  return { logicalDevice: value(0) * 0x80 + value(1), physicalDevice: value(2) * 0x80 + value(3), bytes: 4 };
}

/** The client that an address of one octet names; undefined for a longer one. */
export function readClientAddress(hex: string): number | undefined {
  return hex.length === 2 ? readServerAddress(hex).logicalDevice : undefined;
}

/** How an address stands in `HdlcFrame`: upper-case hex. */
export function addressHex(octets: Uint8Array): string {
  return toHex(octets).toUpperCase();
}

/** Whether part of an address means every station. */
export function isAllStations(part: number | undefined, bytes: ServerAddressBytes | undefined): boolean {
  return part === (bytes === 4 ? RESERVED.allStations.long : RESERVED.allStations.short);
}

/** Whether a physical address means the device that has called, whatever its own address is. */
export function isCallingDevice(part: number | undefined, bytes: ServerAddressBytes | undefined): boolean {
  return part === (bytes === 4 ? RESERVED.callingDevice.long : RESERVED.callingDevice.short);
}

function shortest({ logicalDevice, physicalDevice }: HdlcServerAddress): ServerAddressBytes {
  if (logicalDevice > 0x7f || (physicalDevice ?? 0) > 0x7f) return 4;
  return physicalDevice === undefined ? 1 : 2;
}

function sevenBits(what: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 0x7f)
    throw new DlmsError("out-of-range", `HDLC ${what} ${value}: 0 to 127 fit one octet`);
  return value;
}

function fourteenBits(what: string, value: number): readonly [number, number] {
  if (!Number.isInteger(value) || value < 0 || value > 0x3fff)
    throw new DlmsError("out-of-range", `HDLC ${what} ${value}: 0 to 16383 fit two octets`);
  return [(value >> 7) << 1, (value & 0x7f) << 1];
}

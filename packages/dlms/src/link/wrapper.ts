import { DlmsError } from "../errors.ts";
import type { Place, Recognition } from "./scan.ts";

/** The octets of a wrapper header. */
export const WRAPPER_HEADER_BYTES = 8;
const VERSION = 1;

/** An APDU in the wrapper of IEC 62056-47: TCP and UDP. */
export interface WrapperFrame {
  readonly link: "wrapper";
  /** Wrapper ports: logical device and client, not those of TCP. */
  readonly source: number;
  readonly destination: number;
  readonly information: Uint8Array;
  readonly informationOffset: number;
}

/**
 * Recognises a wrapper at `place`. The wrapper has no checksum and an unremarkable beginning, so callers look for it
 * only where a frame must begin, and `startsApdu` must know the first octet of what it carries.
 */
export function recogniseWrapper(
  place: Place,
  startsApdu: (octet: number) => boolean,
): Recognition<WrapperFrame> | undefined {
  const { bytes, at, end, base } = place;
  if (bytes[at] !== 0) return undefined;
  if (end > at + 1 && bytes[at + 1] !== VERSION) return undefined;
  if (end < at + WRAPPER_HEADER_BYTES + 1) return more(place, WRAPPER_HEADER_BYTES + 1, false);
  const length = unsigned16(bytes, at + 6);
  if (length === 0 || !startsApdu(bytes[at + WRAPPER_HEADER_BYTES] as number)) return undefined;
  const whole = WRAPPER_HEADER_BYTES + length;
  if (end < at + whole) return more(place, whole, true);
  const frame: WrapperFrame = {
    link: "wrapper",
    source: unsigned16(bytes, at + 2),
    destination: unsigned16(bytes, at + 4),
    information: bytes.subarray(at + WRAPPER_HEADER_BYTES, at + whole),
    informationOffset: base + at + WRAPPER_HEADER_BYTES,
  };
  return { kind: "frame", frame, length: whole };
}

/** An APDU and whom it goes between. */
export interface WrappedApdu {
  readonly source: number;
  readonly destination: number;
  /** A view of the input. */
  readonly apdu: Uint8Array;
}

/**
 * Reads a datagram, which is exactly one frame (IEC 62056-47, 6.2.2); undefined for anything else: another version, no
 * APDU, or a length that is not the datagram's.
 */
export function readWrapperDatagram(octets: Uint8Array): WrappedApdu | undefined {
  if (octets.length <= WRAPPER_HEADER_BYTES || unsigned16(octets, 0) !== VERSION) return undefined;
  if (unsigned16(octets, 6) !== octets.length - WRAPPER_HEADER_BYTES) return undefined;
  const apdu = octets.subarray(WRAPPER_HEADER_BYTES);
  return { source: unsigned16(octets, 2), destination: unsigned16(octets, 4), apdu };
}

/** Puts an APDU into a wrapper. @throws DlmsError `out-of-range` for ports or lengths over 65535. */
export function encodeWrapper(source: number, destination: number, apdu: Uint8Array): Uint8Array {
  const frame = new Uint8Array(WRAPPER_HEADER_BYTES + apdu.length);
  writeWrapper(source, destination, apdu, frame);
  return frame;
}

/**
 * As `encodeWrapper`, into octets that are there already: `WRAPPER_HEADER_BYTES` more than the APDU has. Platforms have
 * cheaper memory for what goes to a socket than a new array.
 */
export function writeWrapper(source: number, destination: number, apdu: Uint8Array, frame: Uint8Array): void {
  require16(source, "source port");
  require16(destination, "destination port");
  require16(apdu.length, "length");
  put16(frame, 0, VERSION);
  put16(frame, 2, source);
  put16(frame, 4, destination);
  put16(frame, 6, apdu.length);
  frame.set(apdu, WRAPPER_HEADER_BYTES);
}

function require16(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff)
    throw new DlmsError("out-of-range", `wrapper ${what} ${value}: 0 to 65535 fit`);
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

function unsigned16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function more(place: Place, need: number, certain: boolean): Recognition<WrapperFrame> {
  const message = `the wrapper at ${place.base + place.at} is cut off after ${place.end - place.at} of ${need} octets`;
  return { kind: "more", need, fault: { code: "frame-truncated", offset: place.base + place.end, message }, certain };
}

import { concatBytes } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import { frameCheck } from "./crc.ts";
import { type Fault, hex, type LinkErrorCode } from "./fault.ts";
import type { Place, Recognition } from "./scan.ts";

/** The octet between frames. Frames are delimited by their length, so it may occur inside them. */
export const HDLC_FLAG = 0x7e;

/** Control field of an unnumbered information frame: how meters push (IEC 62056-46, 6.4.3.8). */
export const UNNUMBERED_INFORMATION = 0x13;

/** The longest frame that the 11-bit length field can say, without its flags. */
const LONGEST = 0x7ff;
/** Format (2), two addresses of one octet, control, frame check. */
const SHORTEST = 7;

/** A frame of format type 3 (IEC 62056-46, 6.4) whose checks hold. */
export interface HdlcFrame {
  readonly link: "hdlc";
  /** Address octets as on the wire, 1, 2 or 4 of them, in hex. */
  readonly destination: string;
  readonly source: string;
  readonly control: number;
  /** More frames follow that belong to the same information (bit S of the format field). */
  readonly segmented: boolean;
  /** The information field; empty where the frame has none. A view of the input. */
  readonly information: Uint8Array;
  /** Where the information begins in the stream. */
  readonly informationOffset: number;
}

/**
 * Recognises one frame at `place`, with or without its opening flag; the closing flag is left to be the opening one of
 * the next frame. A wrong header check is told from a wrong frame check: the first means that not even the length can
 * be believed.
 */
export function recogniseHdlc(place: Place): Recognition<HdlcFrame> | undefined {
  const { bytes, at, end, base } = place;
  const start = bytes[at] === HDLC_FLAG ? at + 1 : at;
  const first = start < end ? bytes[start] : undefined;
  if (first === undefined) return more(place, start + 2 - at, "only the flag is there", false);
  if (first >> 4 !== 0xa) return undefined;
  if (start + 1 >= end) return more(place, start + 2 - at, "the length field is incomplete", false);
  const length = ((first & 0x07) << 8) | (bytes[start + 1] as number);
  if (length < SHORTEST) return undefined;

  const header = readHeader(bytes, start + 2, end);
  if (header === "more") return more(place, end + 1 - at, "it ends within the addresses", false);
  if (header === undefined)
    return damaged("hdlc-malformed", place, length, "its addresses are not of 1, 2 or 4 octets", false);
  const { sourceAt, controlAt } = header;
  const headerEnd = controlAt + 1;
  const frameEnd = start + length;
  const informationAt = headerEnd + 2;
  if (frameEnd < informationAt)
    return damaged("hdlc-malformed", place, length, `length ${length} is shorter than its header`, false);

  if (end < informationAt) return more(place, informationAt - at, "it ends within the header", false);
  const headerCheck = frameCheck(bytes, start, headerEnd);
  const headerSent = littleEndian(bytes, headerEnd);
  // Without information there is one check only, which is the frame check and stands where the header check would.
  const hasInformation = frameEnd > informationAt;
  if (headerCheck !== headerSent) {
    const code: LinkErrorCode = hasInformation ? "hdlc-header-check" : "hdlc-frame-check";
    const message = `HDLC ${hasInformation ? "header" : "frame"} check is ${hex(headerSent, 4)}, computed ${hex(headerCheck, 4)}`;
    const fault = { code, offset: base + headerEnd, message };
    const opened = bytes[at] === HDLC_FLAG;
    // The flag where the frame would end is what tells a damaged frame from noise: it is waited for.
    if (opened && frameEnd >= end) return { kind: "more", need: frameEnd + 1 - at, fault, certain: false };
    const closed = opened && bytes[frameEnd] === HDLC_FLAG;
    return { kind: "damaged", fault, length: closed ? frameEnd - at : 1, certain: closed };
  }
  if (end < frameEnd)
    return more(place, frameEnd - at, `${end - start} of ${length} octets are there, and no closing flag`, true);
  if (hasInformation) {
    const sent = littleEndian(bytes, frameEnd - 2);
    const computed = frameCheck(bytes, start, frameEnd - 2);
    if (sent !== computed) {
      const message = `HDLC frame check is ${hex(sent, 4)}, computed ${hex(computed, 4)}`;
      const fault: Fault = { code: "hdlc-frame-check", offset: base + frameEnd - 2, message };
      return { kind: "damaged", fault, length: frameEnd - at, certain: true };
    }
  }
  const frame: HdlcFrame = {
    link: "hdlc",
    destination: hexOf(bytes, start + 2, sourceAt),
    source: hexOf(bytes, sourceAt, controlAt),
    control: bytes[controlAt] as number,
    segmented: (first & 0x08) !== 0,
    information: hasInformation ? bytes.subarray(informationAt, frameEnd - 2) : bytes.subarray(0, 0),
    informationOffset: base + informationAt,
  };
  return { kind: "frame", frame, length: frameEnd - at };
}

/** What {@link encodeHdlc} needs to know. */
export interface HdlcFields {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly control: number;
  readonly segmented?: boolean;
  readonly information?: Uint8Array;
}

/** Writes one frame with both flags. @throws DlmsError `out-of-range` where it would be longer than 2047 octets. */
export function encodeHdlc(fields: HdlcFields): Uint8Array {
  const { destination, source, control, segmented = false, information } = fields;
  const checks = information === undefined ? 2 : 4;
  const length = 2 + destination.length + source.length + 1 + checks + (information?.length ?? 0);
  if (length > LONGEST)
    throw new DlmsError("out-of-range", `an HDLC frame of ${length} octets: at most ${LONGEST}, segment it`);
  const format = 0xa000 | (segmented ? 0x0800 : 0) | length;
  const header = concatBytes(Uint8Array.of(format >> 8, format & 0xff), destination, source, Uint8Array.of(control));
  const headed = concatBytes(header, checkOctets(header));
  const body = information === undefined ? headed : concatBytes(headed, information);
  const whole = information === undefined ? body : concatBytes(body, checkOctets(body));
  return concatBytes(Uint8Array.of(HDLC_FLAG), whole, Uint8Array.of(HDLC_FLAG));
}

function checkOctets(bytes: Uint8Array): Uint8Array {
  const check = frameCheck(bytes);
  return Uint8Array.of(check & 0xff, check >> 8);
}

/** Where the source address and the control field begin: addresses end at the first octet whose low bit is set. */
function readHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly sourceAt: number; readonly controlAt: number } | "more" | undefined {
  const sourceAt = addressEnd(bytes, start, end);
  if (typeof sourceAt !== "number") return sourceAt;
  const controlAt = addressEnd(bytes, sourceAt, end);
  if (typeof controlAt !== "number") return controlAt;
  return controlAt < end ? { sourceAt, controlAt } : "more";
}

function addressEnd(bytes: Uint8Array, start: number, end: number): number | "more" | undefined {
  for (let count = 1; count <= 4; count += 1) {
    const octet = bytes[start + count - 1];
    if (start + count > end || octet === undefined) return "more";
    if ((octet & 1) === 1) return count === 3 ? undefined : start + count;
  }
  return undefined;
}

function littleEndian(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function hexOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 1) text += hex(bytes[at] as number);
  return text;
}

function more(place: Place, need: number, message: string, certain: boolean): Recognition<HdlcFrame> {
  const fault: Fault = {
    code: "frame-truncated",
    offset: place.base + place.end,
    message: `the HDLC frame at ${place.base + place.at} is cut off: ${message}`,
  };
  return { kind: "more", need, fault, certain };
}

function damaged(
  code: LinkErrorCode,
  place: Place,
  length: number,
  message: string,
  certain: boolean,
): Recognition<HdlcFrame> {
  const offset = place.base + place.at;
  return { kind: "damaged", fault: { code, offset, message: `HDLC frame at ${offset}: ${message}` }, length, certain };
}

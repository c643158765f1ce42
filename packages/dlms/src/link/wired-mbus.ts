import { concatBytes } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import { type Fault, hex, type LinkErrorCode } from "./fault.ts";
import type { Place, Recognition } from "./scan.ts";

const START = 0x68;
const STOP = 0x16;
/** Start, two lengths, start. */
const HEADER = 4;
/** Control, address and control information: the least a long frame carries. */
const SHORTEST = 3;

/** A long frame of wired M-Bus (EN 13757-2, 5.3) that carries DLMS (EN 13757-1, transport layer for wired M-Bus). */
export interface MbusFrame {
  readonly link: "wired-mbus";
  readonly control: number;
  readonly address: number;
  /** Number of this segment, from 0 (low half of the CI field). */
  readonly sequence: number;
  /** Whether this is the last segment (bit 4 of the CI field). */
  readonly last: boolean;
  /** Transport selectors of the sender and the receiver. */
  readonly source: number;
  readonly destination: number;
  /** The segment of the APDU. A view of the input. */
  readonly information: Uint8Array;
  /** Where the information begins in the stream. */
  readonly informationOffset: number;
  /** One maker sends 257 octets and a length of 1: the length field has overflowed. */
  readonly lengthOverflowed: boolean;
}

/** Recognises one long frame at `place`. */
export function recogniseMbus(place: Place): Recognition<MbusFrame> | undefined {
  const { bytes, at, end, base } = place;
  if (bytes[at] !== START) return undefined;
  if (end < at + HEADER) {
    const repeated = end < at + 3 || bytes[at + 1] === bytes[at + 2];
    return repeated ? more(place, HEADER, false) : undefined;
  }
  const length = bytes[at + 1] as number;
  if (bytes[at + 2] !== length || bytes[at + 3] !== START) return undefined;

  let overflow = false;
  let dataEnd = at + HEADER + length;
  if (length < SHORTEST || (end >= dataEnd + 2 && bytes[dataEnd + 1] !== STOP)) {
    overflow = true;
    dataEnd += 256;
  }
  if (end < dataEnd + 2) return more(place, dataEnd + 2 - at, true);
  const whole = dataEnd + 2 - at;
  if (bytes[dataEnd + 1] !== STOP) {
    const wanted = overflow && length >= SHORTEST ? dataEnd - 256 + 1 : dataEnd + 1;
    return damaged(place, "mbus-malformed", wanted, `no stop octet 16 after ${length} octets`, 1, false);
  }
  let sum = 0;
  for (let index = at + HEADER; index < dataEnd; index += 1) sum = (sum + (bytes[index] as number)) & 0xff;
  const sent = bytes[dataEnd] as number;
  if (sum !== sent)
    return damaged(place, "mbus-checksum", dataEnd, `checksum is ${hex(sent)}, computed ${hex(sum)}`, whole, true);

  const data = at + HEADER;
  const information = bytes[data + 2] as number;
  // CI 00 to 1F: segments of the transport layer; others carry M-Bus data records, which is another protocol.
  if (information > 0x1f || dataEnd < data + 5)
    return damaged(
      place,
      "mbus-malformed",
      data + 2,
      `control information ${hex(information)} is not DLMS`,
      whole,
      true,
    );
  const frame: MbusFrame = {
    link: "wired-mbus",
    control: bytes[data] as number,
    address: bytes[data + 1] as number,
    sequence: information & 0x0f,
    last: (information & 0x10) !== 0,
    source: bytes[data + 3] as number,
    destination: bytes[data + 4] as number,
    information: bytes.subarray(data + 5, dataEnd),
    informationOffset: base + data + 5,
    lengthOverflowed: overflow,
  };
  return { kind: "frame", frame, length: whole };
}

/** What the segments of {@link encodeMbus} carry besides the APDU; what meters send unless given. */
export interface MbusFields {
  /** Control field: 53 is SND-UD. */
  readonly control?: number;
  /** 255 is everybody. */
  readonly address?: number;
  readonly source?: number;
  readonly destination?: number;
}

/** The most octets of an APDU that one segment takes: the length octet also counts the five header octets. */
const MOST_SEGMENT_BYTES = 250;
const MOST_SEGMENTS = 16;

/**
 * Writes an APDU as long frames, one behind the other, as a push sends them.
 *
 * @throws DlmsError `out-of-range` for more octets than 16 segments take
 */
export function encodeMbus(apdu: Uint8Array, fields: MbusFields = {}): Uint8Array {
  const { control = 0x53, address = 0xff, source = 0x01, destination = 0x67 } = fields;
  const frames = mbusSegments(apdu).map(({ octets, information }) =>
    encodeMbusSegment({ control, address, information, source, destination }, octets),
  );
  return concatBytes(...frames);
}

/**
 * Cuts an APDU into the segments of the transport layer, each with its control information: number and FIN bit.
 *
 * @throws DlmsError `out-of-range` for more octets than 16 segments take
 */
export function mbusSegments(
  apdu: Uint8Array,
): readonly { readonly octets: Uint8Array; readonly information: number }[] {
  const count = Math.max(1, Math.ceil(apdu.length / MOST_SEGMENT_BYTES));
  if (count > MOST_SEGMENTS)
    throw new DlmsError("out-of-range", `${apdu.length} octets take ${count} M-Bus segments: at most ${MOST_SEGMENTS}`);
  return Array.from({ length: count }, (_, sequence) => ({
    octets: apdu.subarray(sequence * MOST_SEGMENT_BYTES, (sequence + 1) * MOST_SEGMENT_BYTES),
    information: sequence | (sequence === count - 1 ? 0x10 : 0),
  }));
}

/** Writes one long frame around a segment. */
export function encodeMbusSegment(
  fields: Required<MbusFields> & { readonly information: number },
  segment: Uint8Array,
): Uint8Array {
  const { control, address, information, source, destination } = fields;
  const data = concatBytes(Uint8Array.of(control, address, information, source, destination), segment);
  const head = Uint8Array.of(START, data.length, data.length, START);
  return concatBytes(head, data, Uint8Array.of(mbusSum(data), STOP));
}

/** The checksum of M-Bus: the sum of control field, address and what follows (EN 13757-2, 5.5). */
export function mbusSum(octets: Uint8Array): number {
  return octets.reduce((total, octet) => (total + octet) & 0xff, 0);
}

function more(place: Place, need: number, certain: boolean): Recognition<MbusFrame> {
  const fault: Fault = {
    code: "frame-truncated",
    offset: place.base + place.end,
    message: `the M-Bus frame at ${place.base + place.at} is cut off after ${place.end - place.at} of ${need} octets`,
  };
  return { kind: "more", need, fault, certain };
}

function damaged(
  place: Place,
  code: LinkErrorCode,
  where: number,
  message: string,
  length: number,
  certain: boolean,
): Recognition<MbusFrame> {
  const fault = { code, offset: place.base + where, message: `M-Bus frame at ${place.base + place.at}: ${message}` };
  return { kind: "damaged", fault, length, certain };
}

import type { Fault } from "./fault.ts";
import type { Place, Recognition } from "./scan.ts";

/** LLC header of a client's command and of a server's answer (IEC 62056-46, 5.3.2); pushes carry the second. */
const LLC = [0xe6, 0xe7] as const;
/** First octets of APDUs that meters send unasked (IEC 62056-5-3, 8.4.2): all that a bare telegram may begin with. */
export const UNSOLICITED = {
  dataNotification: 0x0f,
  eventNotification: 0xc2,
  generalGloCiphering: 0xdb,
  generalDedCiphering: 0xdc,
  generalCiphering: 0xdd,
  generalSigning: 0xdf,
  generalBlockTransfer: 0xe0,
} as const;
const STARTS: ReadonlySet<number> = new Set(Object.values(UNSOLICITED));
/** Responses, which some readers hand on as they would a push. */
const RESPONSES: ReadonlySet<number> = new Set([0xc4, 0xc5, 0xc7]);

/** Longest APDU accepted without a frame around it. */
export const LONGEST_APDU_BYTES = 65_535;

/** An APDU without any frame: from a log, a UDP datagram, or a port that sends ciphered APDUs back to back. */
export interface BareFrame {
  readonly link: "apdu";
  readonly information: Uint8Array;
  readonly informationOffset: number;
}

/** Whether an APDU that a meter sends may begin with this octet. */
export function startsApdu(octet: number): boolean {
  return STARTS.has(octet) || RESPONSES.has(octet);
}

/** The octets of an LLC header at `at`: 3, or 0 where there is none. */
export function llcLength(bytes: Uint8Array, at = 0): number {
  const isLlc = bytes[at] === LLC[0] && (bytes[at + 1] === LLC[0] || bytes[at + 1] === LLC[1]) && at + 2 < bytes.length;
  return isLlc ? 3 : 0;
}

/**
 * Recognises a ciphered APDU that stands alone: `DB 08`, the system title, a length, security control and counter. With
 * `aligned`, a frame must begin here and any title will do; elsewhere the title must begin with the three letters of a
 * maker, since nothing else tells the beginning from noise.
 */
export function recogniseCiphered(place: Place, aligned: boolean): Recognition<BareFrame> | undefined {
  const { bytes, at, end, base } = place;
  const first = bytes[at];
  if (first !== UNSOLICITED.generalGloCiphering && first !== UNSOLICITED.generalDedCiphering) return undefined;
  if (end < at + 2) return more(place, 2, false);
  const titleLength = bytes[at + 1] as number;
  if (titleLength !== 8 && !(aligned && titleLength === 0)) return undefined;
  const lengthAt = at + 2 + titleLength;
  if (!aligned && !startsWithLetters(bytes, at + 2, Math.min(end, at + 5))) return undefined;
  if (end < lengthAt + 1) return more(place, lengthAt + 1 - at, aligned);
  const form = bytes[lengthAt] as number;
  const lengthOctets = form < 0x80 ? 0 : form & 0x7f;
  if (form === 0x80 || lengthOctets > 2) return undefined;
  const contentAt = lengthAt + 1 + lengthOctets;
  if (end < contentAt + 1) return more(place, contentAt + 1 - at, aligned);
  let length = form & 0x7f;
  if (lengthOctets > 0) {
    length = 0;
    for (let index = 0; index < lengthOctets; index += 1)
      length = length * 256 + (bytes[lengthAt + 1 + index] as number);
  }
  // Suites 0 to 2 exist; a content shorter than security control and counter is none.
  if (((bytes[contentAt] as number) & 0x0f) > 2 || length < 5) return undefined;
  const whole = contentAt + length - at;
  if (end < at + whole) return more(place, whole, true);
  return { kind: "frame", frame: bare(bytes, at, whole, base), length: whole };
}

/** Recognises one block of a general block transfer that stands alone. */
export function recogniseBlock(place: Place): Recognition<BareFrame> | undefined {
  const { bytes, at, end, base } = place;
  if (bytes[at] !== UNSOLICITED.generalBlockTransfer) return undefined;
  if (end < at + 7) return more(place, 7, true);
  const form = bytes[at + 6] as number;
  const lengthOctets = form < 0x80 ? 0 : form & 0x7f;
  if (form === 0x80 || lengthOctets > 2) return undefined;
  const contentAt = at + 7 + lengthOctets;
  if (end < contentAt) return more(place, contentAt - at, true);
  let length = form & 0x7f;
  if (lengthOctets > 0) {
    length = 0;
    for (let index = 0; index < lengthOctets; index += 1) length = length * 256 + (bytes[at + 7 + index] as number);
  }
  const whole = contentAt + length - at;
  if (end < at + whole) return more(place, whole, true);
  return { kind: "frame", frame: bare(bytes, at, whole, base), length: whole };
}

function bare(bytes: Uint8Array, at: number, length: number, base: number): BareFrame {
  return { link: "apdu", information: bytes.subarray(at, at + length), informationOffset: base + at };
}

function startsWithLetters(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const octet = (bytes[at] as number) & 0xdf;
    if (octet < 0x41 || octet > 0x5a) return false;
  }
  return true;
}

function more(place: Place, need: number, certain: boolean): Recognition<BareFrame> {
  const fault: Fault = {
    code: "frame-truncated",
    offset: place.base + place.end,
    message: `the APDU at ${place.base + place.at} is cut off after ${place.end - place.at} of ${need} octets`,
  };
  return { kind: "more", need, fault, certain };
}

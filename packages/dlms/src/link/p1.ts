import { Writer } from "../codec/writer.ts";
import { p1Check, p1CheckStep } from "./crc.ts";
import { type Fault, hex, type LinkErrorCode } from "./fault.ts";
import type { Place, Recognition } from "./scan.ts";

const SLASH = 0x2f;
const EXCLAMATION = 0x21;
const LF = 0x0a;
const CHECKSUM_DIGITS = 4;
const CR = 0x0d;
const TAB = 0x09;
const GENERAL_GLO_CIPHERING = 0xdb;
/** CR LF: between the identification and the body. */
const BLANK_LINE_BYTES = 2;
/** The longest telegram seen has 4 KiB (a meter with its monthly peaks and four M-Bus devices). */
export const P1_LONGEST_BYTES = 16_384;
/** `/`, three letters of the maker, then what the maker likes, at most this much. */
const LONGEST_IDENTIFICATION = 64;

/** What the checksum behind `!` says. */
export type P1Checksum =
  /** The telegram has none (DSMR 3 and some makers). */
  | "absent"
  | "valid"
  /** Holds once line ends are CR LF again: the text has passed through something that changed them. */
  | "valid-with-crlf"
  /** Does not hold, and the line ends show that the text is not as it was sent: it can prove nothing. */
  | "unverifiable";

/** A P1 telegram (DSMR 5.0.2, 5): lines of text between `/` and `!`. */
export interface P1Frame {
  readonly link: "p1";
  /** The whole telegram, `/` to `!` and the checksum. */
  readonly text: string;
  readonly checksum: P1Checksum;
  readonly offset: number;
}

/** The identification of a P1 telegram whose body is ciphered: the octets of the body follow. */
export interface P1Header {
  readonly link: "p1-header";
  readonly identification: string;
}

/**
 * Recognises a P1 telegram at `place`. `readUpTo` is where the last attempt at the same place ran out of octets, so that
 * octets which arrive one by one are not read over and over.
 */
export function recogniseP1(place: Place, readUpTo = 0): Recognition<P1Frame | P1Header> | undefined {
  const { bytes, at, end } = place;
  if (bytes[at] !== SLASH) return undefined;
  const identified = identificationEnd(place);
  if (identified === "more") return more(place, end + 1 - at, false);
  if (identified === undefined) return undefined;

  // The line in which the last attempt stopped is read again: it may be the one with the checksum.
  let lineStart = Math.max(identified, lastLineStart(bytes, at, Math.min(readUpTo, end)));
  for (let index = lineStart; index < end; index += 1) {
    const octet = bytes[index] as number;
    if (octet === LF) {
      lineStart = index + 1;
    } else if (octet === EXCLAMATION && index === lineStart) {
      return closing(place, index);
    } else if (!isText(octet)) {
      const isBodyStart = lineStart - identified <= BLANK_LINE_BYTES && index === lineStart;
      if (isBodyStart && octet === GENERAL_GLO_CIPHERING) {
        const identification = asciiText(bytes, at, identified).trimEnd();
        return { kind: "frame", frame: { link: "p1-header", identification }, length: index - at };
      }
      const message = `octet ${hex(octet)} is not text: octets were lost, or what follows is ciphered`;
      return damaged(place, "p1-not-text", index, message, index - at);
    }
    if (index - at > P1_LONGEST_BYTES)
      return damaged(place, "p1-too-long", index, `no line with ! in ${P1_LONGEST_BYTES} octets`, index - at);
  }
  return more(place, end + 1 - at, true);
}

/**
 * Ends a telegram whose `!` stands at `index`: four hex digits may follow. Line ends behind them are silence between
 * telegrams, so that a telegram is complete before they come.
 */
function closing(place: Place, index: number): Recognition<P1Frame> {
  const { bytes, at, end } = place;
  let digits = 0;
  while (digits < CHECKSUM_DIGITS && index + 1 + digits < end && isHexDigit(bytes[index + 1 + digits]!)) digits += 1;
  if (digits < CHECKSUM_DIGITS && index + 1 + digits >= end) return more(place, end + 1 - at, true);
  return finished(place, index, digits === CHECKSUM_DIGITS);
}

/** Takes what has arrived of a telegram as all of it: behind `!` nothing need follow when the input is over. */
export function finishP1(place: Place): Recognition<P1Frame> | undefined {
  const { bytes, at, end } = place;
  for (let index = end - 1; index > at && index >= end - CHECKSUM_DIGITS; index -= 1)
    if (bytes[index] === EXCLAMATION && bytes[index - 1] === LF) return finished(place, index, false);
  return undefined;
}

function finished(place: Place, index: number, hasChecksum: boolean): Recognition<P1Frame> {
  const { bytes, at, base } = place;
  const endAt = index + 1 + (hasChecksum ? CHECKSUM_DIGITS : 0);
  const text = asciiText(bytes, at, endAt);
  const frame = (checksum: P1Checksum): Recognition<P1Frame> => ({
    kind: "frame",
    frame: { link: "p1", text, checksum, offset: base + at },
    length: endAt - at,
  });
  if (!hasChecksum) return frame("absent");
  const sent = text.slice(-CHECKSUM_DIGITS);
  const claimed = Number.parseInt(sent, 16);
  const computed = p1Check(bytes, at, index + 1);
  if (computed === claimed) return frame("valid");
  if (hasBareLineFeeds(bytes, at, index))
    return frame(checkWithCrLf(bytes, at, index + 1) === claimed ? "valid-with-crlf" : "unverifiable");
  const message = `checksum is ${sent.toUpperCase()}, computed ${hex(computed, 4)}`;
  return damaged(place, "p1-checksum", index + 1, message, endAt - at);
}

/**
 * Writes a P1 telegram: identification (without `/`), lines of data, checksum.
 *
 * @throws DlmsError `bad-text` for anything but ASCII
 */
export function encodeP1(identification: string, lines: readonly string[]): Uint8Array {
  const body = `/${identification}\r\n\r\n${lines.map((line) => `${line}\r\n`).join("")}!`;
  const w = new Writer(body.length + 6);
  w.ascii(body);
  const check = p1Check(w.finish());
  w.ascii(`${hex(check, CHECKSUM_DIGITS)}\r\n`);
  return w.finish();
}

/** Where the line of identification ends, when there is one: `/`, three letters, printable text, a line end. */
function identificationEnd(place: Place): number | "more" | undefined {
  const { bytes, at, end } = place;
  for (let index = at + 1; index < Math.min(end, at + LONGEST_IDENTIFICATION); index += 1) {
    const octet = bytes[index] as number;
    if (index <= at + 3 && !isLetter(octet)) return undefined;
    if (octet === LF) return index > at + 4 ? index + 1 : undefined;
    if (octet !== CR && !isText(octet)) return undefined;
  }
  return end < at + LONGEST_IDENTIFICATION ? "more" : undefined;
}

function lastLineStart(bytes: Uint8Array, at: number, before: number): number {
  let index = before;
  while (index > at && bytes[index - 1] !== LF) index -= 1;
  return index;
}

function hasBareLineFeeds(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start + 1; at < end; at += 1) if (bytes[at] === LF && bytes[at - 1] !== CR) return true;
  return false;
}

function checkWithCrLf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const octet = bytes[at] as number;
    if (octet === CR) continue;
    if (octet === LF) value = p1CheckStep(value, CR);
    value = p1CheckStep(value, octet);
  }
  return value;
}

function isHexDigit(octet: number): boolean {
  return (octet >= 0x30 && octet <= 0x39) || (octet >= 0x41 && octet <= 0x46) || (octet >= 0x61 && octet <= 0x66);
}

function isLetter(octet: number): boolean {
  return (octet >= 0x41 && octet <= 0x5a) || (octet >= 0x61 && octet <= 0x7a);
}

function isText(octet: number): boolean {
  return (octet >= 0x20 && octet < 0x7f) || octet === CR || octet === LF || octet === TAB;
}

/** The octets as text; all of them are known to be ASCII. */
function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 1) text += String.fromCharCode(bytes[at] as number);
  return text;
}

function more(place: Place, need: number, certain: boolean): Recognition<P1Frame> {
  const message = `the P1 telegram at ${place.base + place.at} is cut off: no line that begins with !`;
  return { kind: "more", need, fault: { code: "frame-truncated", offset: place.base + place.end, message }, certain };
}

function damaged(
  place: Place,
  code: LinkErrorCode,
  where: number,
  message: string,
  length: number,
): Recognition<P1Frame> {
  const offset = place.base + where;
  const fault: Fault = { code, offset, message: `P1 telegram at ${place.base + place.at}: ${message}` };
  return { kind: "damaged", fault, length, certain: true };
}

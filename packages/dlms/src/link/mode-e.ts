/**
 * The messages of IEC 62056-21 with which an optical port is opened for HDLC (mode E, protocol 2), and what its
 * characters mean. Characters have 7 bits here; the parity is the line's business.
 */

/** How a serial line is set. */
export interface LineSettings {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even";
}

/** Every port begins so (IEC 62056-21, 4.3.1 and 5.2). */
export const OPENING_LINE: LineSettings = { baudRate: 300, dataBits: 7, parity: "even" };

/** The line of HDLC after the opening. */
export function hdlcLine(baudRate: number): LineSettings {
  return { baudRate, dataBits: 8, parity: "none" };
}

/** Speeds by their identification character in modes C and E (IEC 62056-21, 6.3.14 item 13c). */
export const BAUD_RATES = {
  "0": 300,
  "1": 600,
  "2": 1200,
  "3": 2400,
  "4": 4800,
  "5": 9600,
  "6": 19_200,
} as const;
export type BaudCharacter = keyof typeof BAUD_RATES;

const ACKNOWLEDGE = 0x06;
const LINE_END = "\r\n";
/** Longer lines than any message has are noise. */
const LONGEST_MESSAGE_BYTES = 64;

/** The message a meter tells who it is with: `/XXXZ\2identification` (IEC 62056-21, 6.3.2). */
export interface PortIdentification {
  /** Three letters of the maker. */
  readonly manufacturer: string;
  /** The character of the highest speed the meter offers; modes A and B have none of these. */
  readonly baudCharacter: BaudCharacter | undefined;
  /** Whether `\2` follows: the meter offers HDLC in mode E. */
  readonly offersModeE: boolean;
  readonly identification: string;
}

/** Reads an identification without its line end; undefined for what is none. */
export function readIdentification(line: string): PortIdentification | undefined {
  const match = /^\/([A-Za-z]{3})(.)((?:\\.)*)([\x20-\x7e]{0,48})$/.exec(line);
  if (match === null) return undefined;
  const [, manufacturer = "", speed = "", escapes = "", identification = ""] = match;
  return {
    manufacturer,
    baudCharacter: isBaudCharacter(speed) ? speed : undefined,
    offersModeE: escapes.includes("\\2"),
    identification,
  };
}

/** Writes an identification that offers mode E. */
export function identificationOctets(manufacturer: string, baud: BaudCharacter, identification: string): Uint8Array {
  return ascii(`/${manufacturer}${baud}\\2${identification}${LINE_END}`);
}

/** Writes the sign-on; with an address only the device of that address answers (IEC 62056-21, 6.3.1). */
export function signOnOctets(deviceAddress = ""): Uint8Array {
  return ascii(`/?${deviceAddress}!${LINE_END}`);
}

/** The address in a sign-on without its line end, empty for any device; undefined for another message. */
export function readSignOn(line: string): string | undefined {
  return /^\/\?([\x20-\x7e]{0,32})!$/.exec(line)?.[1];
}

/** Writes the acknowledgement that chooses HDLC (2), a speed, and binary mode (2): `ACK 2 Z 2`. */
export function acknowledgementOctets(baud: BaudCharacter): Uint8Array {
  return ascii(`\u00062${baud}2${LINE_END}`);
}

/** The speed that an acknowledgement without its line end chooses together with HDLC; undefined for another one. */
export function readAcknowledgement(line: string): BaudCharacter | undefined {
  const [first, protocol, speed = "", mode, more] = line;
  const isHdlc = first?.charCodeAt(0) === ACKNOWLEDGE && protocol === "2" && mode === "2" && more === undefined;
  return isHdlc && isBaudCharacter(speed) ? speed : undefined;
}

function isBaudCharacter(character: string): character is BaudCharacter {
  return Object.hasOwn(BAUD_RATES, character);
}

/** Cuts what arrives into lines, without their ends. Parity bits that the line has left in are taken off. */
export class OpeningLines {
  #text = "";

  push(octets: Uint8Array): string[] {
    for (const octet of octets) this.#text += String.fromCharCode(octet & 0x7f);
    const lines = this.#text.split(LINE_END);
    this.#text = (lines.pop() ?? "").slice(-LONGEST_MESSAGE_BYTES);
    return lines.map(beginning);
  }

  /** What has arrived of the next line. */
  get rest(): string {
    return this.#text;
  }
}

/** A line from where its message begins: a waking line gives noise before it. */
function beginning(line: string): string {
  const at = Math.max(line.lastIndexOf("/"), line.lastIndexOf("\u0006"));
  return at < 0 ? line : line.slice(at);
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

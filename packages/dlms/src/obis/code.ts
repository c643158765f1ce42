import { DlmsError } from "../errors.ts";

/** An OBIS code: which quantity a value is (IEC 62056-6-1, 5.2). Each group is a number from 0 to 255. */
export interface ObisCode {
  /** Group A, the medium: 0 abstract, 1 electricity, 7 gas, 8 cold water … */
  readonly a: number;
  /** Group B, the channel. */
  readonly b: number;
  /** Group C, the quantity. */
  readonly c: number;
  /** Group D, how it was processed: 7 instantaneous, 8 time integral … */
  readonly d: number;
  /** Group E, mostly the tariff; 0 is the total. */
  readonly e: number;
  /** Group F, the billing period; 255 where there is none. */
  readonly f: number;
}

/** The group F of a code that does not speak of a billing period. */
export const NO_BILLING_PERIOD = 255;

const TEXT = /^(?:(\d{1,3})-(\d{1,3}):)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[.*&](\d{1,3}))?$/;
const SIX_NUMBERS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/**
 * Reads `1-0:1.8.0`, `1-0:1.8.0.255`, `1-0:1.8.0*255`, `1.0.1.8.0.255` and, with electricity on channel 0 understood,
 * `1.8.0`. Gives undefined for anything else: text from meters holds much that is no OBIS code.
 */
export function parseObis(text: string): ObisCode | undefined {
  const six = SIX_NUMBERS.exec(text);
  const match = six ?? TEXT.exec(text);
  if (match === null) return undefined;
  const [a, b, c, d, e, f] = match.slice(1).map((group) => (group === undefined ? undefined : Number(group)));
  const code = { a: a ?? 1, b: b ?? 0, c: c ?? 0, d: d ?? 0, e: e ?? 0, f: f ?? NO_BILLING_PERIOD };
  return Object.values(code).every((group) => group <= 255) ? code : undefined;
}

/** Like {@link parseObis}. @throws DlmsError `invalid-value` for text that is no OBIS code. */
export function obis(text: string): ObisCode {
  const code = parseObis(text);
  if (code === undefined) throw new DlmsError("invalid-value", `"${text}" is not an OBIS code such as 1-0:1.8.0`);
  return code;
}

/** Reads the six octets of a logical name; undefined for any other count. */
export function obisFromOctets(octets: Uint8Array): ObisCode | undefined {
  if (octets.length !== 6) return undefined;
  const [a, b, c, d, e, f] = octets as unknown as readonly [number, number, number, number, number, number];
  return { a, b, c, d, e, f };
}

/** The six octets of a logical name. */
export function obisOctets(code: ObisCode): Uint8Array {
  return Uint8Array.of(code.a, code.b, code.c, code.d, code.e, code.f);
}

/** Writes the code as people do: `1-0:1.8.0`, and `1-0:1.8.0*1` where it speaks of a billing period. */
export function formatObis(code: ObisCode): string {
  const period = code.f === NO_BILLING_PERIOD ? "" : `*${code.f}`;
  return `${code.a}-${code.b}:${code.c}.${code.d}.${code.e}${period}`;
}

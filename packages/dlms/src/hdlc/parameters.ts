import { concatBytes, NO_BYTES } from "../bytes.ts";
import { Reader } from "../codec/reader.ts";
import { DecodeError, DlmsError } from "../errors.ts";

/** What two HDLC stations agree on when they connect, each from its own point of view (IEC 62056-46, 6.4.4.4.3). */
export interface HdlcParameters {
  /** Octets of the longest information field sent. */
  readonly maxTransmitBytes: number;
  /** Octets of the longest information field taken. */
  readonly maxReceiveBytes: number;
  /** I frames sent in a row without acknowledgement, 1 to 7. */
  readonly windowTransmit: number;
  /** I frames taken in a row, 1 to 7. */
  readonly windowReceive: number;
}

/** What holds where nothing is said. */
export const DEFAULT_HDLC_PARAMETERS: HdlcParameters = {
  maxTransmitBytes: 128,
  maxReceiveBytes: 128,
  windowTransmit: 1,
  windowReceive: 1,
};

/** The longest information field that IEC 62056-46 allows. */
export const MOST_INFORMATION_BYTES = 2030;
const MOST_WINDOW = 7;
const FORMAT = 0x81;
const GROUP = 0x80;
/** Parameter identifiers, in the order in which they are written. */
const IDENTIFIERS: readonly (readonly [identifier: number, name: keyof HdlcParameters, isWindow: boolean])[] = [
  [0x05, "maxTransmitBytes", false],
  [0x06, "maxReceiveBytes", false],
  [0x07, "windowTransmit", true],
  [0x08, "windowReceive", true],
];

/** Completes parameters with the defaults. @throws DlmsError `out-of-range`. */
export function hdlcParameters(given: Partial<HdlcParameters> = {}): HdlcParameters {
  const parameters = { ...DEFAULT_HDLC_PARAMETERS, ...given };
  for (const [, name, isWindow] of IDENTIFIERS) {
    const most = isWindow ? MOST_WINDOW : MOST_INFORMATION_BYTES;
    const value = parameters[name];
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new DlmsError("out-of-range", `HDLC parameter ${name} ${value}: 1 to ${most}`);
  }
  return parameters;
}

/** Whether the parameters need not be said. */
export function areDefaults(parameters: HdlcParameters): boolean {
  return IDENTIFIERS.every(([, name]) => parameters[name] === DEFAULT_HDLC_PARAMETERS[name]);
}

/** Writes the information field of an SNRM or UA: format, group, then each parameter with identifier and length. */
export function encodeParameters(parameters: HdlcParameters): Uint8Array {
  const fields = IDENTIFIERS.map(([identifier, name, isWindow]) => {
    const value = parameters[name];
    const octets = isWindow ? [0, 0, 0, value] : value > 0xff ? [value >> 8, value & 0xff] : [value];
    return Uint8Array.of(identifier, octets.length, ...octets);
  });
  const group = concatBytes(...fields);
  return concatBytes(Uint8Array.of(FORMAT, GROUP, group.length), group);
}

/**
 * Reads the information field of an SNRM or UA. What is absent has its default; groups and parameters that are not
 * known are passed over; values beyond what the standard allows are taken as its limits.
 *
 * @throws DecodeError where the field contradicts itself.
 */
export function decodeParameters(information: Uint8Array): HdlcParameters {
  if (information.length === 0) return DEFAULT_HDLC_PARAMETERS;
  const values: { -readonly [K in keyof HdlcParameters]: number } = { ...DEFAULT_HDLC_PARAMETERS };
  const r = new Reader(information);
  if (r.unsigned8() !== FORMAT) throw new DecodeError("unknown-tag", 0, "not the parameters of an HDLC connection");
  while (r.remaining > 0) {
    const group = r.unsigned8();
    const content = r.octets(r.unsigned8());
    if (group === GROUP) readGroup(content, values);
  }
  return values;
}

function readGroup(content: Uint8Array, values: { -readonly [K in keyof HdlcParameters]: number }): void {
  const r = new Reader(content);
  while (r.remaining > 0) {
    const identifier = r.unsigned8();
    const value = r.octets(r.unsigned8()).reduce((sum, octet) => Math.min(sum * 256 + octet, 0xffffffff), 0);
    const known = IDENTIFIERS.find(([one]) => one === identifier);
    if (known === undefined) continue;
    const [, name, isWindow] = known;
    if (value === 0) throw new DecodeError("invalid-value", r.offset, `HDLC parameter ${name} is 0`);
    values[name] = Math.min(value, isWindow ? MOST_WINDOW : MOST_INFORMATION_BYTES);
  }
}

/** What this station may do when it can do `own` and the other has said `other`. */
export function negotiate(own: HdlcParameters, other: HdlcParameters): HdlcParameters {
  return {
    maxTransmitBytes: Math.min(own.maxTransmitBytes, other.maxReceiveBytes),
    maxReceiveBytes: Math.min(own.maxReceiveBytes, other.maxTransmitBytes),
    windowTransmit: Math.min(own.windowTransmit, other.windowReceive),
    windowReceive: Math.min(own.windowReceive, other.windowTransmit),
  };
}

/** The information field of an SNRM: none where all parameters are the defaults. */
export function proposalOctets(parameters: HdlcParameters): Uint8Array {
  return areDefaults(parameters) ? NO_BYTES : encodeParameters(parameters);
}

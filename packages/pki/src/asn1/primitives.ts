import { type Codec, c, DlmsError, type Reader, toHex } from "@meterkeep/dlms";
import { type Asn1, element, map, oneOf, TAGS } from "./element.ts";

/** BOOLEAN: FF or 00, nothing else (X.690 clause 11.1). */
export const boolean: Asn1<boolean> = element(TAGS.boolean, "boolean", {
  shape: { type: "boolean" },
  encode: (w, value) => w.unsigned8(value ? 0xff : 0),
  decode(r) {
    const octet = r.unsigned8();
    if (octet !== 0 && octet !== 0xff) r.fail("wrong-value", "a boolean in DER is 00 or FF", r.offset - 1);
    return octet === 0xff;
  },
});

/** NULL. */
export const nothing: Asn1<undefined> = element(TAGS.null, "null", c.nothing);

/**
 * A positive INTEGER as big-endian octets without leading zeros, at most `max` octets: serial numbers, the halves of
 * signatures. Zero is one octet 00. Negative numbers are refused: no field of a certificate has them.
 */
export function positiveInteger(max: number): Asn1<Uint8Array> {
  return element(TAGS.integer, "integer", {
    shape: { type: "mapped", name: "positive integer", of: { type: "bytes", max, rest: true } },
    encode(w, value) {
      const octets = withoutLeadingZeros(value);
      if (octets.length > max)
        throw new DlmsError("out-of-range", `an integer of ${octets.length} octets, ${max} allowed`);
      if (octets[0]! >= 0x80) w.unsigned8(0);
      w.octets(octets);
    },
    decode(r: Reader) {
      const at = r.offset;
      const octets = r.octets(r.remaining);
      const [first, second] = octets;
      if (first === undefined) r.fail("wrong-length", "an integer without octets", at);
      if (first >= 0x80) r.fail("out-of-range", "a negative integer", at);
      if (first === 0 && second !== undefined && second < 0x80)
        r.fail("wrong-length", "an integer with needless zeros", at);
      const magnitude = first === 0 && second !== undefined ? octets.subarray(1) : octets;
      if (magnitude.length > max)
        r.fail("out-of-range", `an integer of ${magnitude.length} octets, ${max} allowed`, at);
      return magnitude;
    },
  });
}

/** A small INTEGER, 0 to 2^31 - 1: versions, path lengths. */
export const smallInteger: Asn1<number> = map("small integer", positiveInteger(4), {
  decode: (octets) => numberOf(octets, 0x7fffffff),
  encode: (value) => bigEndian(value),
});

/** ENUMERATED, 0 to 127: reasons and states. */
export const enumerated: Asn1<number> = element(TAGS.enumerated, "enumerated", {
  shape: { type: "unsigned", bytes: 1 },
  encode: (w, value) => w.unsigned8(value),
  decode(r) {
    const value = r.unsigned8();
    if (value >= 0x80) r.fail("out-of-range", "a negative enumeration", r.offset - 1);
    return value;
  },
});

/** OCTET STRING. */
export const octetString: Asn1<Uint8Array> = element(TAGS.octetString, "octet string", c.restBytes);

/** An OCTET STRING that holds one value in DER. */
export function octetStringOf<T>(of: Codec<T>): Asn1<T> {
  return element(TAGS.octetString, "octet string", of);
}

/** A BIT STRING of whole octets: keys and signatures. */
export const bitStringOctets: Asn1<Uint8Array> = element(TAGS.bitString, "bit string", {
  shape: { type: "framed", name: "no unused bits", of: { type: "bytes", rest: true } },
  encode(w, value) {
    w.unsigned8(0);
    w.octets(value);
  },
  decode(r) {
    if (r.unsigned8() !== 0) r.fail("wrong-value", "a bit string with unused bits where octets belong", r.offset - 1);
    return r.octets(r.remaining);
  },
});

/**
 * A BIT STRING whose bits have names, written without trailing zero bits (X.690 clause 11.2.2): the names that are set.
 *
 * @param names names by bit number, at most 16
 */
export function namedBits<Name extends string>(names: readonly Name[]): Asn1<readonly Name[]> {
  return element<readonly Name[]>(TAGS.bitString, "bit string", {
    shape: { type: "flags", bits: Object.fromEntries(names.map((name, bit) => [name, bit])) },
    encode(w, value) {
      const bits = value.map((name) => names.indexOf(name));
      const highest = Math.max(-1, ...bits);
      const octets = new Uint8Array(Math.ceil((highest + 1) / 8));
      for (const bit of bits) octets[bit >> 3]! |= 0x80 >> (bit & 7);
      w.unsigned8(octets.length === 0 ? 0 : 7 - (highest & 7));
      w.octets(octets);
    },
    decode(r) {
      const at = r.offset;
      const unused = r.unsigned8();
      const octets = r.octets(r.remaining);
      if (unused > 7 || (octets.length === 0 && unused !== 0)) r.fail("wrong-value", `${unused} unused bits`, at);
      const last = octets.at(-1);
      if (last !== undefined && (last & (0xff >> (8 - unused - 1))) !== 1 << unused)
        r.fail("wrong-value", "trailing zero bits are not written in DER", at);
      if (octets.length * 8 - unused > names.length) r.fail("unknown-value", "a bit without a name", at);
      return names.filter((_, bit) => ((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
    },
  });
}

/** OBJECT IDENTIFIER in dotted form. */
export const objectIdentifier: Asn1<string> = element(TAGS.objectIdentifier, "object identifier", {
  shape: { type: "mapped", name: "object identifier", of: { type: "bytes", max: 64, rest: true } },
  encode(w, value) {
    w.octets(identifierOctets(value));
  },
  decode(r) {
    const at = r.offset;
    const octets = r.octets(r.remaining);
    if (octets.length === 0 || octets.length > 64) r.fail("wrong-length", `${octets.length} octets of identifier`, at);
    return dotted(octets) ?? r.fail("wrong-value", "not an object identifier", at);
  },
});

export const utf8String: Asn1<string> = element(TAGS.utf8String, "UTF8String", {
  shape: { type: "text", charset: "utf8" },
  encode: (w, value) => w.octets(new TextEncoder().encode(value)),
  decode: (r) => r.utf8(r.remaining),
});

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

export const printableString: Asn1<string> = asciiString(TAGS.printableString, "PrintableString", PRINTABLE);
export const ia5String: Asn1<string> = asciiString(TAGS.ia5String, "IA5String", /^[\0-\x7f]*$/);

/** Whole seconds, as certificates have them: UTCTime until 2049, GeneralizedTime from then on (RFC 5280 clause 4.1.2.5). */
export const time: Asn1<Date> = oneOf(
  "a time",
  [timeOf(TAGS.utcTime, "UTCTime", 2), timeOf(TAGS.generalizedTime, "GeneralizedTime", 4)],
  (value) => (value.getUTCFullYear() < 2050 ? 0 : 1),
);

/** GeneralizedTime in any year: OCSP has no other. */
export const generalizedTime: Asn1<Date> = timeOf(TAGS.generalizedTime, "GeneralizedTime", 4);

function timeOf(tag: number, name: string, yearDigits: 2 | 4): Asn1<Date> {
  const pattern = yearDigits === 2 ? /^\d{12}Z$/ : /^\d{14}Z$/;
  return element(tag, name, {
    shape: { type: "mapped", name, of: { type: "text", charset: "ascii" } },
    encode(w, value) {
      const digits = value.toISOString().replace(/[-:T]/g, "").slice(0, 14);
      w.ascii(`${yearDigits === 2 ? digits.slice(2) : digits}Z`);
    },
    decode(r) {
      const at = r.offset;
      const text = r.ascii(r.remaining);
      if (!pattern.test(text)) r.fail("wrong-value", `${name} ${text}`, at);
      const rest = text.slice(yearDigits, -1);
      // RFC 5280 clause 4.1.2.5.1: 50 and above belong to the twentieth century.
      const century = Number(text.slice(0, 2)) >= 50 ? "19" : "20";
      const year = yearDigits === 4 ? text.slice(0, 4) : century + text.slice(0, 2);
      const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((from) => rest.slice(from, from + 2));
      const value = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
      if (Number.isNaN(value.getTime()) || value.getUTCDate() !== Number(day))
        r.fail("wrong-value", `${name} ${text}`, at);
      return value;
    },
  });
}

function asciiString(tag: number, name: string, allowed: RegExp): Asn1<string> {
  return element(tag, name, {
    shape: { type: "text", charset: "ascii" },
    encode(w, value) {
      if (!allowed.test(value)) throw new DlmsError("bad-text", `a character that ${name} does not have`);
      w.ascii(value);
    },
    decode(r) {
      const at = r.offset;
      const value = r.ascii(r.remaining);
      if (!allowed.test(value)) r.fail("bad-text", `a character that ${name} does not have`, at);
      return value;
    },
  });
}

function withoutLeadingZeros(octets: Uint8Array): Uint8Array {
  const first = octets.findIndex((octet) => octet !== 0);
  return first < 0 ? Uint8Array.of(0) : octets.subarray(first);
}

function numberOf(octets: Uint8Array, max: number): number {
  const value = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  if (value > max) throw new DlmsError("out-of-range", `${toHex(octets)} is above ${max}`);
  return value;
}

function bigEndian(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

const encodedIdentifiers = new Map<string, Uint8Array>();

/** The set of identifiers in use is small and fixed: each is encoded once. */
function identifierOctets(value: string): Uint8Array {
  let octets = encodedIdentifiers.get(value);
  if (octets === undefined) {
    octets = encodeIdentifier(value);
    if (encodedIdentifiers.size < 256) encodedIdentifiers.set(value, octets);
  }
  return octets;
}

function encodeIdentifier(value: string): Uint8Array {
  const arcs = value.split(".").map(Number);
  const [first, second, ...rest] = arcs;
  const isIdentifier = /^[0-2](\.(0|[1-9]\d*))+$/.test(value) && arcs.every((arc) => arc <= 0xffffffff);
  if (!isIdentifier || first === undefined || second === undefined || (first < 2 && second > 39))
    throw new DlmsError("out-of-range", `${value} is no object identifier`);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left % 128));
    octets.push(...groups);
  }
  return Uint8Array.from(octets);
}

function dotted(octets: Uint8Array): string | undefined {
  const arcs: number[] = [];
  let arc = 0;
  let isFirstOctet = true;
  for (const octet of octets) {
    if (isFirstOctet && octet === 0x80) return undefined;
    arc = arc * 128 + (octet & 0x7f);
    if (arc > 0xffffffff) return undefined;
    isFirstOctet = (octet & 0x80) === 0;
    if (isFirstOctet) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [joined, ...rest] = arcs;
  if (!isFirstOctet || joined === undefined) return undefined;
  const first = Math.min(2, Math.floor(joined / 40));
  return [first, joined - first * 40, ...rest].join(".");
}

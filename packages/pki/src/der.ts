import { PkiError } from "./errors.ts";

/**
 * Writes DER (ITU-T X.690, 10): each function returns one whole element, so that structures are nested calls.
 *
 * Only what certificates need. Definite lengths in their shortest form, times as RFC 5280 4.1.2.5 wants them.
 */
export const der = {
  sequence: (...elements: readonly Uint8Array[]) => element(0x30, join(elements)),
  /** SET OF: DER wants its elements in ascending order of their octets (X.690 11.6). */
  setOf: (...elements: readonly Uint8Array[]) => element(0x31, join([...elements].sort(Buffer.compare))),
  integer,
  boolean: (value: boolean) => element(0x01, Uint8Array.of(value ? 0xff : 0x00)),
  null: () => element(0x05, new Uint8Array(0)),
  objectIdentifier,
  octetString: (octets: Uint8Array) => element(0x04, octets),
  /** `unusedBits` are the low bits of the last octet that do not count. */
  bitString: (octets: Uint8Array, unusedBits = 0) => element(0x03, join([Uint8Array.of(unusedBits), octets])),
  utf8String: (text: string) => element(0x0c, Buffer.from(text, "utf8")),
  time,
  /** `[tag]` around a whole element. */
  explicit: (tag: number, inner: Uint8Array) => element(contextTag(tag, 0xa0), inner),
  /** `[tag]` in place of the tag of a primitive element's content. */
  implicit: (tag: number, content: Uint8Array) => element(contextTag(tag, 0x80), content),
} as const;

/** Tag, length in its shortest form, content. */
function element(tag: number, content: Uint8Array): Uint8Array {
  return join([Uint8Array.of(tag), lengthOctets(content.length), content]);
}

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(0x80 | octets.length, ...octets);
}

/** A non-negative INTEGER: a whole number, or the octets of one, most significant first. */
function integer(value: number | Uint8Array): Uint8Array {
  let octets = typeof value === "number" ? numberOctets(value) : value;
  while (octets.length > 1 && octets[0] === 0 && (octets[1] as number) < 0x80) octets = octets.subarray(1);
  if (octets.length === 0) throw new PkiError("der-value-invalid", "an INTEGER needs at least one octet");
  if ((octets[0] as number) >= 0x80) octets = join([Uint8Array.of(0), octets]);
  return element(0x02, octets);
}

function numberOctets(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new PkiError("der-value-invalid", `${value} is not a whole number from 0 on`);
  const octets: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return octets.length === 0 ? Uint8Array.of(0) : Uint8Array.from(octets);
}

/** `"1.2.840.10045.2.1"`. @throws PkiError `der-value-invalid`. */
function objectIdentifier(dotted: string): Uint8Array {
  const arcs = dotted.split(".").map((arc) => (/^(0|[1-9]\d*)$/.test(arc) ? Number(arc) : Number.NaN));
  const [first, second, ...others] = arcs;
  if (first === undefined || second === undefined || first > 2 || arcs.some((arc) => !Number.isSafeInteger(arc)))
    throw new PkiError("der-value-invalid", `"${dotted}" is not an object identifier`);
  return element(0x06, join([first * 40 + second, ...others].map(base128)));
}

function base128(value: number): Uint8Array {
  const octets = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift(0x80 | (rest % 128));
  return Uint8Array.from(octets);
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5); seconds, UTC. */
function time(at: Date): Uint8Array {
  if (Number.isNaN(at.getTime())) throw new PkiError("der-value-invalid", "not a time");
  const digits = `${at
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replace(/[-:T]/g, "")}Z`;
  return at.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2), "ascii"))
    : element(0x18, Buffer.from(digits, "ascii"));
}

function contextTag(tag: number, form: number): number {
  if (!Number.isInteger(tag) || tag < 0 || tag > 30)
    throw new PkiError("der-value-invalid", `context tag ${tag} is not one from 0 to 30`);
  return form | tag;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

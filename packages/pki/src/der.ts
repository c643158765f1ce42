/**
 * Writes DER (ITU-T X.690): just what certificates, requests and CRLs need. Values are built inside out, as octets.
 *
 * Writing only: certificates are parsed by node:crypto and `@peculiar/x509`.
 */
export const der = {
  sequence: (...items: readonly Uint8Array[]) => tagged(0x30, concat(items)),
  set: (...items: readonly Uint8Array[]) => tagged(0x31, concat(items)),
  /** A non-negative INTEGER from big-endian octets; redundant leading zeros are dropped. */
  integer: (octets: Uint8Array) => tagged(0x02, positive(octets)),
  boolean: (value: boolean) => tagged(0x01, Uint8Array.of(value ? 0xff : 0)),
  octetString: (octets: Uint8Array) => tagged(0x04, octets),
  bitString: (octets: Uint8Array, unusedBits = 0) => tagged(0x03, concat([Uint8Array.of(unusedBits), octets])),
  utf8String: (text: string) => tagged(0x0c, new TextEncoder().encode(text)),
  objectIdentifier,
  time,
  /** `[number] EXPLICIT` around one value. */
  explicit: (number: number, item: Uint8Array) => tagged(0xa0 | number, item),
} as const;

function tagged(tag: number, content: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(tag), length(content.length), content]);
}

function length(count: number): Uint8Array {
  if (count < 0x80) return Uint8Array.of(count);
  const octets: number[] = [];
  for (let rest = count; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(0x80 | octets.length, ...octets);
}

function positive(octets: Uint8Array): Uint8Array {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start += 1;
  const trimmed = octets.subarray(start);
  return trimmed.length === 0 || trimmed[0]! >= 0x80 ? concat([Uint8Array.of(0), trimmed]) : trimmed;
}

/** OBJECT IDENTIFIER from its dotted form. */
function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left % 128));
    octets.push(...groups);
  }
  return tagged(0x06, Uint8Array.from(octets));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 clause 4.1.2.5); whole seconds. */
function time(at: Date): Uint8Array {
  const digits = `${at.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  const short = at.getUTCFullYear() < 2050;
  return tagged(short ? 0x17 : 0x18, new TextEncoder().encode(short ? digits.slice(2) : digits));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

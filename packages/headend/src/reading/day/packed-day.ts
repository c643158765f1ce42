import type { ProtectionGrade, TrustStateName } from "@meterkeep/api";
import { HeadEndError } from "../../errors.ts";

/** Where values come from and what they were worth when they were captured. */
export interface Provenance {
  /** Number of the evidence; below 2^53. */
  readonly evidence: number;
  readonly protection: ProtectionGrade;
  readonly trustAtCapture: TrustStateName;
}

/** One channel's intervals of a day: parallel arrays, an element an interval. */
export interface ChannelDay {
  /** 0 to 65 535. */
  readonly channel: number;
  /** Seconds; divides a day. */
  readonly periodSeconds: number;
  /** Where the interval ends, in periods after the day's start: rising, from 1 to 86 400 / period. */
  readonly slots: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  /** A 32-bit number, or `NO_STATUS`. */
  readonly status: ArrayLike<number>;
  /** Index into the day's provenances. */
  readonly provenance: ArrayLike<number>;
}

/** A meter's intervals that end in one UTC day at the source. */
export interface MeterDay {
  readonly provenances: readonly Provenance[];
  readonly channels: readonly ChannelDay[];
}

/** The meter gave no status: outside of what 32 bits can say. */
export const NO_STATUS = 2 ** 32;

const VERSION = 1;
// Written into rows that stay for years: places in these lists never change, more are added at the end.
const PROTECTIONS = ["authenticated", "confidential", "none"] as const satisfies readonly ProtectionGrade[];
const TRUST_STATES = [
  "held",
  "provisional",
  "trusted",
  "degraded",
  "quarantined",
  "distrusted",
  "retired",
] as const satisfies readonly TrustStateName[];
const DAY_SECONDS = 86_400;
/** A channel's values as they are, IEEE 754: no exponent makes integers of them. */
const AS_FLOATS = 127;
const MAX_EXPONENT = 6;
const MAX_PROVENANCES = 4_096;
const MAX_CHANNELS = 256;

/**
 * Packs a day (ADR 0023): `version, provenances, channels`, each list behind its length; a channel is `number, period, slots,
 * exponent and order, values, runs of status, runs of provenance`. Integers are of variable length, seven bits an octet.
 *
 * @throws RangeError for a day that cannot be: slots that do not rise, an index that points nowhere
 */
export function packDay(day: MeterDay): Uint8Array {
  const room = day.channels.reduce((sum, { slots }) => sum + 40 + slots.length * 24, 32 + day.provenances.length * 12);
  const out = new Packer(new Uint8Array(room));
  out.octet(VERSION);
  out.integer(within(day.provenances.length, 0, MAX_PROVENANCES, "provenances"));
  for (const { evidence, protection, trustAtCapture } of day.provenances) {
    out.integer(within(evidence, 0, Number.MAX_SAFE_INTEGER, "evidence"));
    out.octet(PROTECTIONS.indexOf(protection) * 16 + TRUST_STATES.indexOf(trustAtCapture));
  }
  out.integer(within(day.channels.length, 0, MAX_CHANNELS, "channels"));
  for (const channel of day.channels) packChannel(out, channel, day.provenances.length);
  return out.packed();
}

function packChannel(out: Packer, channel: ChannelDay, provenances: number): void {
  const { slots, values, status, provenance } = channel;
  const count = slots.length;
  const most = slotsOf(channel.periodSeconds);
  if (values.length !== count || status.length !== count || provenance.length !== count)
    throw new RangeError(`channel ${channel.channel}: ${count} slots, ${values.length} values`);
  out.integer(within(channel.channel, 0, 65_535, "channel"));
  out.integer(channel.periodSeconds);
  out.integer(within(count, 0, most, "slots"));
  // Runs of slots: how many are left out before, how many follow.
  for (let at = 0, next = 1; at < count; ) {
    const start = slots[at] as number;
    let end = at + 1;
    while (end < count && slots[end] === start + end - at) end += 1;
    if (start < next || start + end - at - 1 > most)
      throw new RangeError(
        `channel ${channel.channel}: slots ${start} to ${start + end - at - 1} after ${next - 1} of ${most}`,
      );
    out.integer(start - next);
    out.integer(end - at);
    next = start + end - at;
    at = end;
  }
  packValues(out, values);
  packRuns(out, status, (value) => (value === NO_STATUS ? 0 : 1 + within(value, 0, 2 ** 32 - 1, "status")));
  packRuns(out, provenance, (index) => within(index, 0, provenances - 1, "provenance"));
}

function packValues(out: Packer, values: ArrayLike<number>): void {
  const exponent = exponentOf(values);
  if (exponent === AS_FLOATS) {
    out.octet(AS_FLOATS);
    for (let at = 0; at < values.length; at += 1) out.float(values[at] as number);
    return;
  }
  const scale = 10 ** exponent;
  const differences = new Float64Array(values.length);
  for (let at = 0; at < values.length; at += 1) differences[at] = Math.round((values[at] as number) * scale);
  const order = shortestOrder(differences);
  out.octet(exponent * 4 + order);
  for (let pass = 0; pass < order; pass += 1)
    for (let at = values.length - 1; at > pass; at -= 1)
      differences[at] = (differences[at] as number) - (differences[at - 1] as number);
  for (let at = 0; at < differences.length; at += 1) out.integer(zigzag(differences[at] as number));
}

/** The least number of decimals with which every value is an integer of at most 49 bits, so that differences stay exact. */
function exponentOf(values: ArrayLike<number>): number {
  let exponent = 0;
  let scale = 1;
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] as number;
    // A zero with a sign is not the zero that an integer gives back.
    if (Object.is(value, -0) || !Number.isFinite(value)) return AS_FLOATS;
    for (;;) {
      const scaled = Math.round(value * scale);
      if (Math.abs(scaled) > 2 ** 49) return AS_FLOATS;
      if (scaled / scale === value) break;
      if (exponent === MAX_EXPONENT) return AS_FLOATS;
      exponent += 1;
      scale *= 10;
    }
  }
  // More decimals for a later value must not have spoilt an earlier one.
  for (let at = 0; exponent > 0 && at < values.length; at += 1) {
    const scaled = Math.round((values[at] as number) * scale);
    if (Math.abs(scaled) > 2 ** 49 || scaled / scale !== values[at]) return AS_FLOATS;
  }
  return exponent;
}

function shortestOrder(values: Float64Array): number {
  let [plain, first, second] = [0, 0, 0];
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] as number;
    const before = at > 0 ? (values[at - 1] as number) : 0;
    const twoBefore = at > 1 ? (values[at - 2] as number) : 0;
    plain += sizeOf(value);
    first += sizeOf(value - before);
    second += sizeOf(at > 1 ? value - 2 * before + twoBefore : value - before);
  }
  if (plain <= first && plain <= second) return 0;
  return first <= second ? 1 : 2;
}

function sizeOf(value: number): number {
  const size = Math.abs(value) * 2;
  return size < 2 ** 7 ? 1 : size < 2 ** 14 ? 2 : size < 2 ** 21 ? 3 : size < 2 ** 28 ? 4 : size < 2 ** 35 ? 5 : 7;
}

function packRuns(out: Packer, items: ArrayLike<number>, code: (item: number) => number): void {
  for (let at = 0; at < items.length; ) {
    let end = at + 1;
    while (end < items.length && items[end] === items[at]) end += 1;
    out.integer(end - at);
    out.integer(code(items[at] as number));
    at = end;
  }
}

/**
 * What `packDay` packed.
 *
 * @throws HeadEndError `packed-day-invalid` with the offset, for octets that are no whole day
 */
export function unpackDay(octets: Uint8Array): MeterDay {
  const from = new Unpacker(octets);
  if (from.octet() !== VERSION) throw from.invalid("a version that is not known");
  const provenances: Provenance[] = [];
  for (let left = from.integer(MAX_PROVENANCES); left > 0; left -= 1) {
    const evidence = from.integer(Number.MAX_SAFE_INTEGER);
    const grades = from.octet();
    const [protection, trustAtCapture] = [PROTECTIONS[grades >> 4], TRUST_STATES[grades & 15]];
    if (protection === undefined || trustAtCapture === undefined) throw from.invalid("a grade that is not known");
    provenances.push({ evidence, protection, trustAtCapture });
  }
  const channels: ChannelDay[] = [];
  for (let left = from.integer(MAX_CHANNELS); left > 0; left -= 1)
    channels.push(unpackChannel(from, provenances.length));
  from.end();
  return { provenances, channels };
}

function unpackChannel(from: Unpacker, provenances: number): ChannelDay {
  const channel = from.integer(65_535);
  const periodSeconds = from.integer(DAY_SECONDS);
  if (periodSeconds === 0 || DAY_SECONDS % periodSeconds !== 0) throw from.invalid("a period that divides no day");
  const most = slotsOf(periodSeconds);
  // Every value takes an octet at least.
  const count = from.integer(Math.min(most, from.left));
  const slots = new Uint32Array(count);
  for (let at = 0, next = 1; at < count; ) {
    const gap = from.integer(most);
    if (gap === 0 && at > 0) throw from.invalid("a run of slots that goes on with the one before");
    next += gap;
    const run = from.integer(count - at);
    if (run === 0 || next + run - 1 > most) throw from.invalid("a run of slots that leaves the day");
    for (let end = at + run; at < end; at += 1, next += 1) slots[at] = next;
  }
  const values = unpackValues(from, count);
  const status = new Float64Array(count);
  unpackRuns(from, status, 2 ** 32, (code) => (code === 0 ? NO_STATUS : code - 1));
  const provenance = new Uint16Array(count);
  unpackRuns(from, provenance, provenances - 1, (code) => code);
  return { channel, periodSeconds, slots, values, status, provenance };
}

function unpackValues(from: Unpacker, count: number): Float64Array {
  const values = new Float64Array(count);
  const form = from.octet();
  if (form === AS_FLOATS) {
    for (let at = 0; at < count; at += 1) values[at] = from.float();
    return values;
  }
  const [exponent, order] = [form >> 2, form & 3];
  if (exponent > MAX_EXPONENT || order > 2) throw from.invalid("a form of values that is not known");
  for (let at = 0; at < count; at += 1) values[at] = unzigzag(from.integer(Number.MAX_SAFE_INTEGER));
  for (let pass = order - 1; pass >= 0; pass -= 1)
    for (let at = pass + 1; at < count; at += 1) values[at] = (values[at] as number) + (values[at - 1] as number);
  const scale = 10 ** exponent;
  if (exponent > 0) for (let at = 0; at < count; at += 1) values[at] = (values[at] as number) / scale;
  return values;
}

function unpackRuns(
  from: Unpacker,
  items: { [index: number]: number; readonly length: number },
  most: number,
  item: (code: number) => number,
): void {
  for (let at = 0; at < items.length; ) {
    const run = from.integer(items.length - at);
    if (run === 0) throw from.invalid("an empty run");
    const value = item(from.integer(most));
    for (let end = at + run; at < end; at += 1) items[at] = value;
  }
}

function slotsOf(periodSeconds: number): number {
  if (!Number.isInteger(periodSeconds) || periodSeconds < 1 || DAY_SECONDS % periodSeconds !== 0)
    throw new RangeError(`a period of ${periodSeconds} s divides no day`);
  return DAY_SECONDS / periodSeconds;
}

function within(value: number, least: number, most: number, what: string): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${what}: ${value} is not ${least} to ${most}`);
  return value;
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function unzigzag(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}

class Packer {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer);
  }

  octet(value: number): void {
    this.#octets[this.#at++] = value;
  }

  /** Seven bits an octet, least first; the last has its high bit clear. */
  integer(value: number): void {
    let rest = value;
    while (rest >= 2 ** 31) {
      this.#octets[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      this.#octets[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#octets[this.#at++] = rest;
  }

  float(value: number): void {
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  packed(): Uint8Array {
    return this.#octets.slice(0, this.#at);
  }
}

class Unpacker {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  get left(): number {
    return this.#octets.length - this.#at;
  }

  octet(): number {
    const octet = this.#octets[this.#at];
    if (octet === undefined) throw this.invalid("it ends too early");
    this.#at += 1;
    return octet;
  }

  integer(most: number): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const octet = this.octet();
      value += (octet & 127) * factor;
      if (value > most) throw this.invalid("a number that is too large");
      if (octet < 128) {
        if (octet === 0 && factor > 1) throw this.invalid("a number that is written longer than it is");
        return value;
      }
      // With most at 2^53 - 1 eight octets are the longest: the ninth would lose bits before it is judged.
      if (factor >= 2 ** 49) throw this.invalid("a number that is too large");
    }
  }

  float(): number {
    if (this.left < 8) throw this.invalid("it ends too early");
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  end(): void {
    if (this.left > 0) throw this.invalid(`${this.left} octets are left over`);
  }

  invalid(what: string): HeadEndError {
    return new HeadEndError("packed-day-invalid", `packed day at octet ${this.#at}: ${what}`);
  }
}

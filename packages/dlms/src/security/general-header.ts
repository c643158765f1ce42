import { c } from "../codec/c.ts";
import type { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";

/** The fields that general-ciphering and general-signing have in common (Green Book 9.2.7.2.4.6 and 9.2.7.2.5). */
export const generalHeaderFields = {
  transactionId: c.bytes(),
  originatorSystemTitle: c.bytes({ max: 8 }),
  recipientSystemTitle: c.bytes({ max: 8 }),
  dateTime: c.bytes(),
  otherInformation: c.bytes(),
} as const;
const generalHeaderCodec = c.struct(generalHeaderFields);

const TITLE_BYTES = 8;
const DATE_TIME_BYTES = 12;

/** Who says what to whom, and when, in a general-ciphering or general-signing APDU. */
export interface GeneralHeader {
  /** Names the exchange; a response repeats that of its request. Empty where the parties do without. */
  readonly transactionId: Uint8Array;
  /** Undefined where the field is empty. */
  readonly originator: SystemTitle | undefined;
  /** Undefined where the field is empty: for whoever holds the key. */
  readonly recipient: SystemTitle | undefined;
  /** 12 octets of date-time, or empty. */
  readonly dateTime: Uint8Array;
  readonly otherInformation: Uint8Array;
}

/** A header as it was received, with its octets: signatures and tags cover these, whatever form their lengths have. */
export interface ReceivedGeneralHeader extends GeneralHeader {
  readonly octets: Uint8Array;
}

/** The header's octets: each field with its length. */
export function generalHeaderOctets(header: GeneralHeader): Uint8Array {
  const w = new Writer(64);
  generalHeaderCodec.encode(w, {
    transactionId: header.transactionId,
    originatorSystemTitle: header.originator ?? NOTHING,
    recipientSystemTitle: header.recipient ?? NOTHING,
    dateTime: header.dateTime,
    otherInformation: header.otherInformation,
  });
  return w.finish();
}

/** Reads a header. @throws DecodeError `wrong-length` for titles and times that are neither whole nor absent */
export function readGeneralHeader(r: Reader): ReceivedGeneralHeader {
  const start = r.offset;
  const fields = generalHeaderCodec.decode(r);
  const { transactionId, dateTime, otherInformation } = fields;
  if (dateTime.length !== 0 && dateTime.length !== DATE_TIME_BYTES)
    throw new DecodeError("wrong-length", start, `date-time of ${dateTime.length} octets`).within("dateTime");
  return {
    transactionId,
    originator: titleOf(fields.originatorSystemTitle, start, "originatorSystemTitle"),
    recipient: titleOf(fields.recipientSystemTitle, start, "recipientSystemTitle"),
    dateTime,
    otherInformation,
    octets: r.bytes.subarray(start, r.offset),
  };
}

function titleOf(octets: Uint8Array, at: number, field: string): SystemTitle | undefined {
  if (octets.length === 0) return undefined;
  if (octets.length !== TITLE_BYTES)
    throw new DecodeError("wrong-length", at, `system title of ${octets.length} octets`).within(field);
  return systemTitle(octets);
}

const NOTHING = new Uint8Array(0);

import { Reader } from "../codec/reader.ts";
import { data } from "../data/data.ts";
import type { DateTime } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { DecodeError } from "../errors.ts";
import { llcLength, UNSOLICITED } from "../link/apdu.ts";
import type { Fault } from "../link/fault.ts";
import { finishP1, type P1Frame, recogniseP1 } from "../link/p1.ts";
import { getResponse } from "../xdlms/get.ts";
import { dataNotification, eventNotificationRequest } from "../xdlms/notification.ts";

/** What a data-notification says. */
export interface Notification {
  /** The long-invoke-id-and-priority as sent: meters use all of it as a counter. */
  readonly invokeId: number;
  /** When it was sent, by the meter's clock; undefined where it does not say. */
  readonly dateTime: DateTime | undefined;
  readonly value: Data;
}

/** What an APDU in the clear turned out to be. */
export type Content =
  /** One or more notifications: some meters send those of several minutes in one frame. */
  | { readonly kind: "notifications"; readonly notifications: readonly Notification[] }
  /** P1 text, which some meters put into a ciphered APDU. */
  | { readonly kind: "p1"; readonly frame: P1Frame }
  /** The text of a P1 telegram whose checksum is wrong. */
  | { readonly kind: "damaged"; readonly fault: Fault }
  /** A value alone: an attribute that was read, or a log's plaintext. */
  | { readonly kind: "value"; readonly value: Data };

const P1_START = 0x2f;
const GET_RESPONSE = 0xc4;
const BARE_VALUE_TAGS: ReadonlySet<number> = new Set([0x01, 0x02]);

/**
 * Reads an APDU in the clear: all of it must make sense, so that it also tells whether a key fits.
 *
 * @throws DecodeError `unknown-tag` at 0 for an APDU that carries no readings, else where it stops making sense.
 */
export function readContent(apdu: Uint8Array): Content {
  const first = apdu[0];
  if (first === P1_START) return readP1(apdu);
  const r = new Reader(apdu);
  if (first === UNSOLICITED.dataNotification) return { kind: "notifications", notifications: readNotifications(r) };
  const value = readValue(r, first);
  endOf(r);
  return { kind: "value", value };
}

/**
 * Whether octets begin like a notification with a date-time of our days, even if they do not go on like one: what a
 * wrong key brings forth does not.
 */
export function beginsLikeContent(apdu: Uint8Array): boolean {
  if (apdu[0] !== UNSOLICITED.dataNotification) return apdu[0] === P1_START && isLetters(apdu.subarray(1, 4));
  const dateTimeAt = apdu[5] === 0x0c ? 6 : apdu[5] === 0x09 && apdu[6] === 0x0c ? 7 : undefined;
  if (dateTimeAt === undefined) return apdu[5] === 0 && (apdu[6] === 1 || apdu[6] === 2);
  const year = ((apdu[dateTimeAt] ?? 0) << 8) | (apdu[dateTimeAt + 1] ?? 0);
  return (year >= 1990 && year < 2100) || year === 0xffff;
}

function readNotifications(r: Reader): Notification[] {
  const notifications: Notification[] = [];
  while (r.remaining > 0) {
    const llc = notifications.length > 0 ? llcLength(r.bytes, r.offset) : 0;
    if (notifications.length > 0 && r.bytes[r.offset + llc] !== UNSOLICITED.dataNotification) {
      endOf(r);
      break;
    }
    r.take(llc + 1);
    const invokeIdAt = r.offset;
    const { dateTime, body } = dataNotification.decode(r);
    const invokeId = new Reader(r.bytes, invokeIdAt).unsigned32();
    notifications.push({ invokeId, dateTime: isSpecified(dateTime) ? dateTime : undefined, value: body });
  }
  return notifications;
}

function readValue(r: Reader, first: number | undefined): Data {
  if (first !== undefined && BARE_VALUE_TAGS.has(first)) return data.decode(r);
  if (first !== GET_RESPONSE && first !== UNSOLICITED.eventNotification)
    return r.fail("unknown-tag", first === undefined ? "there is nothing" : "no APDU that carries readings");
  r.unsigned8();
  if (first === UNSOLICITED.eventNotification) return eventNotificationRequest.decode(r).value;
  const response = getResponse.decode(r);
  if (response.kind !== "normal") return r.fail("wrong-value", `a get-response ${response.kind} is a part of a value`);
  const { result } = response.value;
  return result.kind === "data" ? result.value : r.fail("wrong-value", `the meter answers ${String(result.value)}`);
}

/** Zeros to the end are padding; anything else is not understood. */
function endOf(r: Reader): void {
  const rest = r.bytes.subarray(r.offset, r.end);
  if (rest.some((octet) => octet !== 0))
    throw new DecodeError("trailing-bytes", r.offset, `${rest.length} octets left`);
}

function isSpecified(dateTime: DateTime | undefined): boolean {
  return dateTime !== undefined && Object.values(dateTime).some((field) => field !== undefined);
}

function readP1(text: Uint8Array): Content {
  const place = { bytes: text, at: 0, end: text.length, base: 0 };
  const first = recogniseP1(place);
  const found = first?.kind === "more" ? (finishP1(place) ?? first) : first;
  if (found?.kind === "frame" && found.frame.link === "p1") return { kind: "p1", frame: found.frame };
  if (found?.kind === "damaged" || found?.kind === "more") return { kind: "damaged", fault: found.fault };
  throw new DecodeError("unknown-tag", 0, "no P1 telegram");
}

function isLetters(octets: Uint8Array): boolean {
  return octets.length === 3 && octets.every((octet) => (octet & 0xdf) >= 0x41 && (octet & 0xdf) <= 0x5a);
}

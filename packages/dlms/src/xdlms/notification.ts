import { c } from "../codec/c.ts";
import type { Codec, Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { type DateTime, dateTimeOctets } from "../data/date-time.ts";
import { attributeDescriptor } from "./descriptors.ts";
import { longInvokeIdAndPriority } from "./invoke-id.ts";

const DATE_TIME_OCTETS = 12;
const OCTET_STRING_TAG = 0x09;

/**
 * An OCTET STRING that holds a date-time or nothing (`undefined`).
 *
 * Some meters put the octet-string's Data tag before its length: 09 cannot be a length here, so it is skipped.
 */
export const emptyOrDateTime: Codec<DateTime | undefined> = {
  shape: { type: "named", name: "empty-or-date-time" },
  encode(w, value) {
    if (value === undefined) {
      w.length(0);
      return;
    }
    w.length(DATE_TIME_OCTETS);
    dateTimeOctets.encode(w, value);
  },
  decode(r) {
    const at = r.offset;
    let length = r.length();
    if (length === OCTET_STRING_TAG) length = r.length();
    if (length === 0) return undefined;
    if (length !== DATE_TIME_OCTETS) r.fail("wrong-length", `date-time of ${length} octets, not 0 or 12`, at);
    return dateTimeOctets.decode(r);
  },
};

/** Data-Notification ::= SEQUENCE { long-invoke-id-and-priority, date-time, notification-body } */
export const dataNotification = c.struct({
  invokeIdAndPriority: longInvokeIdAndPriority,
  dateTime: emptyOrDateTime,
  body: data,
});
export type DataNotification = Infer<typeof dataNotification>;

/** Data-Notification-Confirm ::= SEQUENCE { long-invoke-id-and-priority, date-time }: of a confirmed push. */
export const dataNotificationConfirm = c.struct({
  invokeIdAndPriority: longInvokeIdAndPriority,
  dateTime: emptyOrDateTime,
});
export type DataNotificationConfirm = Infer<typeof dataNotificationConfirm>;

/** EventNotificationRequest ::= SEQUENCE { time OPTIONAL, cosem-attribute-descriptor, attribute-value } */
export const eventNotificationRequest = c.struct({
  time: c.optional(c.lengthPrefixed(dateTimeOctets)),
  attribute: attributeDescriptor,
  value: data,
});
export type EventNotificationRequest = Infer<typeof eventNotificationRequest>;

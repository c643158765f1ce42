import { decode, encode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import { type Apdu, apdu } from "./apdu.ts";
import type { InformationReport } from "./information-report.ts";
import type { DataNotification, EventNotificationRequest } from "./notification.ts";

/** What a server says within an association without being asked. */
export type Unsolicited =
  /** LN and SN: whatever a push setup lists. With `confirmed` in its invoke id it wants to be confirmed. */
  | { readonly kind: "data-notification"; readonly value: DataNotification }
  /** LN: one attribute that has changed. */
  | { readonly kind: "event-notification-request"; readonly value: EventNotificationRequest }
  /** SN: variables and their values. */
  | { readonly kind: "information-report-request"; readonly value: InformationReport };

/** Writes one. */
export function encodeUnsolicited(message: Unsolicited): Uint8Array {
  return encode(apdu, message);
}

/** Reads one. @throws DlmsError `wrong-type` for another APDU; DecodeError */
export function decodeUnsolicited(octets: Uint8Array): Unsolicited {
  const message: Apdu = decode(apdu, octets);
  switch (message.kind) {
    case "data-notification":
    case "event-notification-request":
    case "information-report-request":
      return message;
    default:
      throw new DlmsError("wrong-type", `"${message.kind}" is nothing that a server says unasked`);
  }
}

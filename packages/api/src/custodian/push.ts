import { c, type Infer } from "@meterkeep/dlms";
import { MAX_BATCH } from "./session.ts";
import { apdu, meterTitle, oneOf, record, union } from "./wire.ts";

/** Why a push was not opened. */
export const PUSH_REFUSAL_CODES = [
  "replayed",
  "unknown-meter",
  "not-authentic",
  "not-decodable",
  "not-protected",
  "not-a-notification",
  "wrong-originator",
] as const;
export type PushRefusalCode = (typeof PUSH_REFUSAL_CODES)[number];

export const openPushRequest = record({
  items: c.sequenceOf(record({ apdu, transport: oneOf(["tcp", "udp"]) }), { max: MAX_BATCH }),
});
export const openPushResponse = c.sequenceOf(
  union({
    opened: record({
      meter: meterTitle,
      /** The data-notification in clear. */
      apdu,
      /** False: confidential only, it could have been altered on the way. */
      authenticated: c.boolean,
      encrypted: c.boolean,
      counter: c.unsigned32,
    }),
    refused: record({ code: oneOf(PUSH_REFUSAL_CODES), meter: c.optional(meterTitle) }),
  }),
  { max: MAX_BATCH },
);
export type PushResult = Infer<typeof openPushResponse>[number];

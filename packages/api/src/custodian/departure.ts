import { c, type Infer } from "@meterkeep/dlms";
import { meterTitle, oneOf, record, shortText, wholeNumber } from "./wire.ts";

/** How a meter leaves: for good, to another owner, back to its maker. */
export const DEPARTURES = ["retired", "transferred", "returned"] as const;
export type Departure = (typeof DEPARTURES)[number];

/** The most meters of one call: their file fits one answer. */
export const MAX_DEPARTING_METERS = 500;

const spki = c.bytes({ max: 2048 });

export const departMetersRequest = record({
  meters: c.sequenceOf(meterTitle, { max: MAX_DEPARTING_METERS }),
  how: oneOf(DEPARTURES),
  /** Why, for the ledger and for those who approve. */
  reason: shortText,
  /** Who sends the meters on: its name stands in their taint set from then on. */
  sender: record({ flag: shortText, name: shortText }),
  /** Who gets them, with the public keys of its `recipient.json`; absent for meters that are retired. */
  recipient: c.optional(record({ name: shortText, ecdhPublicKey: spki, mlkemPublicKey: spki })),
  /** The person who asks, as the head-end says; who approves is never the same. Absent: the caller itself asks. */
  requester: c.optional(shortText),
});
export const departMetersResponse = record({
  departed: wholeNumber,
  transfer: c.optional(
    record({
      /** 32 hex digits. */
      shipment: shortText,
      /** A shipment (docs/formats/shipment.md) of kind `transfer`. */
      file: c.bytes({ max: 900 * 1024 }),
      /** What its signatures verify with: for the new owner's list of manufacturers. */
      ecdsaPublicKey: spki,
      mldsaPublicKey: spki,
    }),
  ),
});
export type DepartedMeters = Infer<typeof departMetersResponse>;

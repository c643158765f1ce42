import { c, type Infer } from "@meterkeep/dlms";
import { KEY_PURPOSES, KEY_STATES } from "./keys.ts";
import { handle, meterTitle, oneOf, record, shortText, wholeNumber } from "./wire.ts";

/** A backup that has begun: its octets are this header and the chunks, one after the other. */
export const beginBackupResponse = record({ backup: handle, id: shortText, header: c.bytes({ max: 65_536 }) });

export const backupRequest = record({ backup: handle });
/** The next octets, sealed. */
export const backupChunkResponse = record({ octets: c.bytes({ max: 1_000_000 }), isLast: c.boolean });
/** The manifest as JSON text (docs/formats/backup.md). */
export const finishBackupResponse = record({ manifest: c.utf8({ max: 500_000 }) });

/** The most meters of one page of holdings. */
export const MAX_PAGE_HOLDINGS = 200;

/** What is held for a meter, for comparison with what a restored backup holds: no key follows from it. */
export const meterHolding = record({
  meter: meterTitle,
  /** The first send counter that was never reserved. */
  nextCounter: wholeNumber,
  keys: c.sequenceOf(
    record({
      setup: c.unsigned8,
      purpose: oneOf(KEY_PURPOSES),
      version: c.unsigned32,
      state: oneOf(KEY_STATES),
      /** Keyed check value under the vault, bound to the place of the key; absent where its octets are destroyed. */
      check: c.optional(c.fixedBytes(32)),
    }),
    { max: 4096 },
  ),
  /** The same of each security setup beside the first that it has keys of. */
  further: c.sequenceOf(record({ setup: c.unsigned8, nextCounter: wholeNumber }), { max: 255 }),
});
export type MeterHolding = Infer<typeof meterHolding>;

export const holdingsRequest = record({ after: c.optional(meterTitle) });
export const holdingsResponse = record({
  meters: c.sequenceOf(meterHolding, { max: MAX_PAGE_HOLDINGS }),
  /** Absent on the last page. */
  next: c.optional(meterTitle),
});

/** Counters of meters' lines that a drill may use and nobody else ever will. */
export const drillCountersRequest = record({
  meters: c.sequenceOf(meterTitle, { max: 64 }),
  /** Of which security setup; the first unless given. */
  setup: c.optional(c.unsigned8),
});
export const drillCountersResponse = record({
  counters: c.sequenceOf(record({ meter: meterTitle, first: wholeNumber, count: c.unsigned16 }), { max: 64 }),
});

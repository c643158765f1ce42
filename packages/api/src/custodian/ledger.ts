import { c, type Infer } from "@meterkeep/dlms";
import { record, shortText, time, wholeNumber } from "./wire.ts";

/** The most entries of one page. */
export const MAX_PAGE_ENTRIES = 200;

/** An entry of the custodian's ledger. `meter` is upper-case hex, `body` the JSON text that was hashed. */
export const custodianLedgerEntry = record({
  sequence: wholeNumber,
  at: time,
  kind: shortText,
  principal: shortText,
  utility: shortText,
  island: shortText,
  meter: c.optional(c.ascii({ max: 16 })),
  body: c.utf8({ max: 65_536 }),
  /** SHA-256 over 0x00 and the entry's line (docs/formats/ledger.md). */
  leaf: c.fixedBytes(32),
});
export type CustodianLedgerEntry = Infer<typeof custodianLedgerEntry>;

export const ledgerEntriesRequest = record({ after: wholeNumber, limit: c.unsigned16 });
export const ledgerEntriesResponse = record({
  entries: c.sequenceOf(custodianLedgerEntry, { max: MAX_PAGE_ENTRIES }),
});

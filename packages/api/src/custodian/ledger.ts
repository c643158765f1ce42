import { c, type Infer } from "@meterkeep/dlms";
import { longText, oneOf, place, record, shortText, time, union, wholeNumber } from "./wire.ts";

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

const note = c.utf8({ max: 65_536 });
const hashes = c.sequenceOf(c.fixedBytes(32), { max: 128 });

/** Keys that sign checkpoints: one of the ECDSA keys and the ML-DSA key must verify. SPKI DER. */
export const ledgerKeys = record({
  version: wholeNumber,
  ecdsa: c.sequenceOf(c.bytes({ max: 512 }), { max: 16 }),
  mldsa: c.bytes({ max: 4096 }),
  /** Sequence of the entry that announces them; 0 where that was changed. */
  announcedAt: wholeNumber,
});

/** What a witness of the ledger has seen. */
export const ledgerWitness = record({
  name: shortText,
  kind: oneOf(["file", "instance"]),
  state: oneOf(["unknown", "current", "away"]),
  size: c.optional(wholeNumber),
  since: time,
  problem: c.optional(longText),
});

/** A signed tree head, and what witnesses have signed besides: each two lines of signatures. */
export const ledgerCheckpoint = record({
  size: wholeNumber,
  note,
  cosignatures: c.sequenceOf(record({ witness: shortText, lines: note }), { max: 16 }),
});

/** How the custodian's ledger is kept. */
export const ledgerState = record({
  /** Its name; absent before its first keys. */
  log: c.optional(shortText),
  size: wholeNumber,
  root: c.fixedBytes(32),
  keys: c.sequenceOf(ledgerKeys, { max: 64 }),
  checkpoint: c.optional(ledgerCheckpoint),
  witnesses: c.sequenceOf(ledgerWitness, { max: 16 }),
  /** Why nothing is written and no key used; absent while all is well. */
  halt: c.optional(record({ code: shortText, message: longText })),
  /** The change that two people would have to approve, as JSON text without their reason. */
  wanted: c.optional(longText),
});
export type LedgerStateMessage = Infer<typeof ledgerState>;

/** From an entry up to the root of the first `size` entries. */
export const ledgerProofRequest = record({ sequence: wholeNumber, size: wholeNumber });
/** From the first `former` entries to the first `size`. */
export const ledgerConsistencyRequest = record({ former: wholeNumber, size: wholeNumber });
export const ledgerProofResponse = record({ hashes });

/** The most checkpoints of one page. */
export const MAX_PAGE_CHECKPOINTS = 8;
export const ledgerCheckpointsRequest = record({ from: wholeNumber });
export const ledgerCheckpointsResponse = record({
  checkpoints: c.sequenceOf(ledgerCheckpoint, { max: MAX_PAGE_CHECKPOINTS }),
});

/**
 * The head of a head-end's own ledger, and that it has grown from the `former` entries that were noted before it (RFC 9162,
 * 2.1.4): nothing where none were, or as many.
 */
export const noteHeadEndLedgerRequest = record({
  utility: place.utility,
  size: wholeNumber,
  root: c.fixedBytes(32),
  former: wholeNumber,
  proof: hashes,
});
/** `elsewhere`: another size than `former` was noted, to be asked for again with a proof from there. */
export const noteHeadEndLedgerResponse = union({
  noted: record({}),
  elsewhere: record({ size: wholeNumber }),
  /** It has not grown from what was noted; the custodian's ledger says so, and goes on from what is there now. */
  broken: record({ size: wholeNumber, root: c.fixedBytes(32) }),
});

export const renewLedgerResponse = record({ version: wholeNumber });

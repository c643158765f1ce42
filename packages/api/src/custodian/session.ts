import { c, type Infer } from "@meterkeep/dlms";
import { apdu, handle, longText, meterTitle, oneOf, record, shortText, union } from "./wire.ts";

/** The most APDUs of one batch. */
export const MAX_BATCH = 1024;

/** What a session is opened for. */
export const SESSION_PURPOSES = ["read", "configure"] as const;

/** How a session ended. */
export const SESSION_OUTCOMES = ["completed", "lost", "failed", "abandoned"] as const;
export type SessionOutcome = (typeof SESSION_OUTCOMES)[number];

/** Which key protects the APDUs of an association: the unicast key, or a fresh one that the AARQ carries. */
export const SESSION_CIPHERINGS = ["global", "dedicated"] as const;

export const openSessionRequest = record({
  meter: meterTitle,
  purpose: oneOf(SESSION_PURPOSES),
  /** `global` unless given. */
  ciphering: c.optional(oneOf(SESSION_CIPHERINGS)),
  /** Somebody waits for what it brings: what opens and ends it waits for no others to share a commit, unless its caller has hurried too many. */
  awaited: c.optional(c.boolean),
});
export const openSessionResponse = record({
  session: handle,
  clientSap: c.unsigned16,
  serverSap: c.unsigned16,
  /** The AARQ. */
  apdu,
});
export type OpenedSession = Infer<typeof openSessionResponse>;

/** Why an association was not made. */
export const ASSOCIATION_REFUSAL_CODES = [
  "not-authentic",
  "association-rejected",
  "association-malformed",
  "session-overtaken",
] as const;
export type AssociationRefusalCode = (typeof ASSOCIATION_REFUSAL_CODES)[number];

export const advanceSessionRequest = record({ session: handle, received: apdu });
export const advanceSessionResponse = union({
  send: record({ apdu }),
  established: record({
    /** Names of the conformance block, as `@meterkeep/dlms` has them. */
    conformance: c.sequenceOf(shortText, { max: 24 }),
    /** The longest APDU the meter takes, in octets; 0 is no limit. */
    maxReceivePduSize: c.unsigned16,
  }),
  failed: record({ code: oneOf(ASSOCIATION_REFUSAL_CODES), message: longText }),
});
export type SessionAdvance = Infer<typeof advanceSessionResponse>;

/** Why the custodian did not seal an APDU: what package guard says of it, or what is missing. */
export const SEAL_REFUSAL_CODES = [
  "command-token-missing",
  "command-token-not-accepted",
  "not-decodable",
  "already-protected",
  "not-a-request",
  "request-in-blocks",
  "service-not-offered",
  "made-by-custodian-only",
  "seal-budget-exhausted",
  "purpose-exceeded",
  "frozen",
  "clock-jumped",
  "cap-reached",
  "command-not-due",
  "request-out-of-turn",
  "clock-behind",
  "clock-doubted",
] as const;
export type SealRefusalCode = (typeof SEAL_REFUSAL_CODES)[number];

export const sealRequest = record({
  session: handle,
  items: c.sequenceOf(record({ apdu, token: c.optional(c.bytes({ max: 16_384 })) }), { max: MAX_BATCH }),
});
export const sealResponse = c.sequenceOf(
  union({
    sealed: record({ apdu }),
    refused: record({
      code: oneOf(SEAL_REFUSAL_CODES),
      /** What the APDU would have done, a name of package guard. */
      effect: shortText,
      /** What was asked, decoded, and what is missing. */
      message: longText,
    }),
  }),
  { max: MAX_BATCH },
);
export type SealResult = Infer<typeof sealResponse>[number];

/** Why a protected APDU was not opened. */
export const OPEN_REFUSAL_CODES = ["not-authentic", "replayed", "not-decodable", "wrong-originator"] as const;
export type OpenRefusalCode = (typeof OPEN_REFUSAL_CODES)[number];

export const openRequest = record({ session: handle, apdus: c.sequenceOf(apdu, { max: MAX_BATCH }) });
export const openResponse = c.sequenceOf(
  union({
    opened: record({ apdu, authenticated: c.boolean, encrypted: c.boolean, counter: c.unsigned32 }),
    refused: record({ code: oneOf(OPEN_REFUSAL_CODES) }),
  }),
  { max: MAX_BATCH },
);
export type OpenResult = Infer<typeof openResponse>[number];

export const releaseSessionRequest = record({ session: handle });
export const releaseSessionResponse = record({ apdu });

export const closeSessionRequest = record({
  session: handle,
  outcome: oneOf(SESSION_OUTCOMES),
  /** Whether the association is released with it, in one call. */
  releases: c.optional(c.boolean),
});
export const closeSessionResponse = record({
  /** The RLRQ, where one was asked for. */
  apdu: c.optional(apdu),
});

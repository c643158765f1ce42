import { type Codec, c, type Infer } from "@meterkeep/dlms";
import { longText, meterTitle, oneOf, record, shortText, time, union, wholeNumber } from "./wire.ts";

/** The most certificates of one page, and of one batch. */
export const MAX_PAGE_CERTIFICATES = 200;

/** Where an authority's key is. */
export const AUTHORITY_KEY_PLACES = ["vault", "token", "offline"] as const;
/** Whether an authority issues: it does, somebody is revoking it, or it or one above it was revoked. */
export const AUTHORITY_STATES = ["standing", "held", "revoked"] as const;
export const CERTIFICATE_STATES = ["ordered", "valid", "revoked", "expired"] as const;
/** Why a certificate is revoked (RFC 5280 clause 5.3.1). */
export const CERTIFICATE_REASONS = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "privilegeWithdrawn",
] as const;

/** A utility and an island, or `*` for what is above them. */
const anyPlace = { utility: shortText, island: shortText } as const;
const hexText: Codec<string> = c.ascii({ max: 64 });
/** A certificate, a request, a list: DER. */
const der = c.bytes({ max: 8192 });
const octets = c.bytes({ max: 900_000 });

/** An authority of the tree. */
export const authorityView = record({
  authority: hexText,
  utility: shortText,
  island: shortText,
  name: shortText,
  profile: shortText,
  parent: c.optional(hexText),
  keyPlace: oneOf(AUTHORITY_KEY_PLACES),
  state: oneOf(AUTHORITY_STATES),
  /** Why it does not stand. */
  why: c.optional(longText),
  certificate: der,
  createdAt: time,
});
export type AuthorityView = Infer<typeof authorityView>;

export const authoritiesResponse = record({
  authorities: c.sequenceOf(authorityView, { max: 4096 }),
  /** Where lists and answers lie, as certificates name it. */
  address: shortText,
});

export const makeAuthorityRequest = record({
  utility: shortText,
  island: shortText,
  name: shortText,
  profile: shortText,
  /** None: a key is made and a request comes back, to be signed by a root that is in a drawer. */
  parent: c.optional(hexText),
});
export const makeAuthorityResponse = union({
  made: record({ authority: hexText }),
  requested: record({ keyName: shortText, request: der }),
});

export const adoptAuthorityRequest = record({
  utility: shortText,
  island: shortText,
  name: shortText,
  profile: shortText,
  parent: c.optional(hexText),
  /** As `makeAuthority` gave it; none for a root, whose key is elsewhere. */
  keyName: c.optional(shortText),
  certificate: der,
});
export type AuthoritiesResponse = Infer<typeof authoritiesResponse>;
export const adoptAuthorityResponse = record({ authority: hexText });

/** Takes lists that an authority in a drawer has signed. */
export const adoptListRequest = record({ authority: hexText, shard: c.unsigned16, octets });

/** Who a certificate is for: a device, or anybody by the short names of X.500. */
export const certificateSubject = union({
  device: record({
    systemTitle: meterTitle,
    /** The type of the device, dotted, where its profile names it in subjectAltName. */
    hwType: c.optional(shortText),
  }),
  named: record({
    fields: c.sequenceOf(record({ field: shortText, text: shortText }), { max: 8 }),
    /** The 8 octets of an entity, where its profile names one in x500UniqueIdentifier. */
    entity: c.optional(c.bytes({ max: 8 })),
  }),
});

const issuedOne = record({
  /** As on the wire of the request. */
  request: der,
  profile: shortText,
  subject: certificateSubject,
});
/** Certificates of one authority: a batch of a production line, or one. */
export const issueCertificatesRequest = record({
  authority: hexText,
  items: c.sequenceOf(issuedOne, { max: MAX_PAGE_CERTIFICATES }),
  /** Names and addresses of a TLS end, where its profile wants them. */
  hosts: c.sequenceOf(shortText, { max: 16 }),
});
export const issueCertificatesResponse = record({
  results: c.sequenceOf(union({ issued: record({ certificate: der }), refused: record({ message: longText }) }), {
    max: MAX_PAGE_CERTIFICATES,
  }),
});

/** A certificate as the registry has it. */
export const certificateView = record({
  authority: hexText,
  serial: hexText,
  utility: shortText,
  island: shortText,
  profile: shortText,
  subject: longText,
  systemTitle: c.optional(hexText),
  keyIdentifier: hexText,
  requester: shortText,
  notBefore: time,
  notAfter: time,
  orderedAt: time,
  state: oneOf(CERTIFICATE_STATES),
  revokedAt: c.optional(time),
  reason: c.optional(shortText),
  certificate: c.optional(der),
});
export type CertificateView = Infer<typeof certificateView>;

const pageStart = record({ notAfter: time, authority: hexText, serial: hexText });
export const searchCertificatesRequest = record({
  utility: c.optional(shortText),
  authority: c.optional(hexText),
  serial: c.optional(hexText),
  systemTitle: c.optional(hexText),
  keyIdentifier: c.optional(hexText),
  /** The beginning of the subject. */
  subject: c.optional(shortText),
  state: c.optional(oneOf(CERTIFICATE_STATES)),
  endsBefore: c.optional(time),
  limit: c.unsigned16,
  /** The last certificate of the page before. */
  after: c.optional(pageStart),
});
export const certificatesResponse = record({
  certificates: c.sequenceOf(certificateView, { max: MAX_PAGE_CERTIFICATES }),
});

/** The newest certificates, before a moment; `after` goes on within the moment, behind the last one of a page. */
export const newestCertificatesRequest = record({
  before: time,
  after: c.optional(record({ authority: hexText, serial: hexText })),
  limit: c.unsigned16,
});

export const revokeCertificatesRequest = record({
  authority: hexText,
  serials: c.sequenceOf(hexText, { max: 500 }),
  reason: oneOf(CERTIFICATE_REASONS),
});
export const revokeCertificatesResponse = record({
  revoked: c.unsigned32,
  /** Of keys that were lost: certificates that stand for the same key, or under the same name, which it may have renewed. */
  others: c.sequenceOf(record({ authority: hexText, serial: hexText, subject: longText }), { max: 100 }),
});

/** What relying parties fetch: a list, or an answer about one certificate. */
export const publishedListRequest = record({
  authority: hexText,
  shard: c.unsigned16,
  kind: oneOf(["full", "delta"]),
});
const published = record({ octets, until: time });
export const publishedListResponse = record({ list: c.optional(published) });
export const publishedAnswerRequest = record({ authority: hexText, request: c.bytes({ max: 4096 }) });
/** `until` is now where the answer must not be kept. */
export const publishedAnswerResponse = published;

/** When certificates end, by profile: how many before each moment and not before the one before it. */
export const expiryBoard = record({
  moments: c.sequenceOf(time, { max: 16 }),
  rows: c.sequenceOf(record({ profile: shortText, before: time, count: c.unsigned32 }), { max: 1024 }),
});

/** System titles that an authority may speak for: first and last of each range, 16 hexadecimal digits. */
const assignment = record({
  authority: hexText,
  name: shortText,
  ranges: c.sequenceOf(record({ first: hexText, last: hexText }), { max: 4096 }),
});
export const assignmentsResponse = record({
  number: c.unsigned32,
  issuedAt: c.optional(time),
  rows: c.sequenceOf(assignment, { max: 4096 }),
});
export const setAssignmentsRequest = record({ rows: c.sequenceOf(assignment, { max: 4096 }) });

export const REVOCATION_STAGE_NAMES = ["refuse", "remove", "cut"] as const;
export const REVOCATION_STATE_NAMES = ["planned", "running", "stopped", "done", "withdrawn"] as const;
export const REVOCATION_MOVE_NAMES = ["start", "stop", "next", "lift", "withdraw"] as const;

/** What revoking an authority would do, or one certificate of it. */
export const revocationEffectRequest = record({ authority: hexText, serial: c.optional(hexText) });
export const revocationEffect = record({
  authority: hexText,
  authorities: c.unsigned32,
  meters: c.unsigned32,
  certificates: c.unsigned32,
  extent: c.sequenceOf(record({ ...anyPlace, certificates: c.unsigned32, meters: c.unsigned32 }), { max: 4096 }),
  /** Meters enrolled an hour, as measured; absent where too few were to say. */
  perHour: c.optional(c.float64),
  hours: c.optional(c.float64),
});

/** A page of the meters that revoking concerns: whoever knows their load can add it up. */
export const authorityMetersRequest = record({
  authority: hexText,
  serial: c.optional(hexText),
  after: c.optional(meterTitle),
});
export const authorityMetersResponse = record({ meters: c.sequenceOf(meterTitle, { max: 1000 }) });
export type RevocationEffectView = Infer<typeof revocationEffect>;

export const revocationPlan = record({
  id: shortText,
  authority: hexText,
  /** Of the one certificate that is revoked; absent where the whole authority is. */
  serial: c.optional(hexText),
  reason: shortText,
  plannedBy: shortText,
  plannedAt: time,
  stage: oneOf(REVOCATION_STAGE_NAMES),
  state: oneOf(REVOCATION_STATE_NAMES),
  meters: c.unsigned32,
  finished: c.unsigned32,
});
export type RevocationPlanView = Infer<typeof revocationPlan>;
export const revocationsResponse = record({
  plans: c.sequenceOf(revocationPlan, { max: 1000 }),
  /** Islands that are cut now. */
  cuts: c.sequenceOf(record({ ...anyPlace, plan: shortText, cutAt: time }), { max: 4096 }),
});
export const planRevocationRequest = record({
  authority: hexText,
  serial: c.optional(hexText),
  reason: oneOf(CERTIFICATE_REASONS),
});
export const moveRevocationRequest = record({ plan: shortText, move: oneOf(REVOCATION_MOVE_NAMES) });

/** Meters from which certificates are to be removed, of plans that are at that stage. */
export const certificateRemovalsRequest = record({ after: c.optional(meterTitle), limit: c.unsigned16 });
export const certificateRemovalsResponse = record({
  removals: c.sequenceOf(record({ plan: shortText, authority: hexText, meter: meterTitle, ...anyPlace }), {
    max: 1000,
  }),
});

/** What holding the registry against the whole ledger has found; all but the first two are 0 where nobody has touched it. */
export const registryReplay = record({
  entries: wholeNumber,
  ordered: wholeNumber,
  revokedAgain: wholeNumber,
  missing: wholeNumber,
  /** The first of them. */
  lost: c.sequenceOf(record({ authority: hexText, serial: hexText, profile: shortText }), { max: 100 }),
  altered: wholeNumber,
  unordered: wholeNumber,
});

/** A password that enrols once, for what it says and nothing else. */
export const makeEnrolmentPasswordRequest = record({
  /** The user name that the client sends. */
  name: shortText,
  authority: hexText,
  profile: shortText,
  subject: certificateSubject,
  hosts: c.sequenceOf(shortText, { max: 16 }),
  endsAt: time,
});
/** The password: shown once, kept nowhere. */
export const makeEnrolmentPasswordResponse = record({ password: shortText });

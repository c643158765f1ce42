import { type Codec, c, type Infer } from "@meterkeep/dlms";
import { HEAD_END_PURPOSES } from "./head-end-purposes.ts";
import { longText, meterTitle, oneOf, place, record, shortText, time, union } from "./wire.ts";

/** The name of a head-end: part of its name in the ledger. */
const headEndName: Codec<string> = c.brand("head-end name", c.ascii({ max: 48 }), (name) => {
  if (!/^[a-z0-9][a-z0-9.-]{0,47}$/.test(name))
    throw new RangeError("a head-end is named by 1 to 48 small letters, digits, dots and hyphens");
  return name;
});

/** A certificate, PEM. */
const certificate = c.ascii({ max: 16_384 });

/** How a head-end is known in TLS. */
export const headEndTrust = union({
  /** By its certificate itself; several while one is renewed. */
  pinned: record({ certificates: c.sequenceOf(certificate, { max: 4 }) }),
  /** By any certificate of this subject that this authority has issued and that is valid. */
  issued: record({ issuer: certificate, subject: shortText }),
});
export type HeadEndTrust = Infer<typeof headEndTrust>;

/** Meters from one system title to another, both included. */
export const meterRange = record({ from: meterTitle, to: meterTitle });

/** What a head-end may do, and with which meters. */
export const headEndGrant = record({
  purposes: c.sequenceOf(oneOf(HEAD_END_PURPOSES), { max: HEAD_END_PURPOSES.length }),
  utility: place.utility,
  /** Empty: all of the utility. */
  islands: c.sequenceOf(place.island, { max: 64 }),
  /** Empty: all. */
  meters: c.sequenceOf(meterRange, { max: 512 }),
});
export type HeadEndGrant = Infer<typeof headEndGrant>;

/** How much a head-end may ask. */
export const headEndLimits = record({
  itemsPerSecond: c.unsigned32,
  itemsBurst: c.unsigned32,
  batch: c.unsigned16,
  sessions: c.unsigned16,
  connections: c.unsigned16,
});
export type HeadEndLimits = Infer<typeof headEndLimits>;

/** A head-end of any vendor that may use the key service. */
export const headEnd = record({
  name: headEndName,
  trust: headEndTrust,
  grants: c.sequenceOf(headEndGrant, { max: 16 }),
  limits: headEndLimits,
});
export type HeadEnd = Infer<typeof headEnd>;

/** Enrols a head-end, or puts another record in the place of the one of its name. */
export const enrolHeadEndRequest = record({ headEnd, reason: shortText });
export const removeHeadEndRequest = record({ name: headEndName, reason: shortText });

export const headEndsResponse = record({
  headEnds: c.sequenceOf(record({ headEnd, enrolledAt: time, enrolledBy: shortText, reason: longText }), { max: 256 }),
});

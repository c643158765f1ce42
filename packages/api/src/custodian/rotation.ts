import { c, type Infer } from "@meterkeep/dlms";
import { KEY_PURPOSES } from "./keys.ts";
import { longText, meterTitle, oneOf, record, shortText, time, wholeNumber } from "./wire.ts";

/** Why keys are rotated, the least urgent first. */
export const ROTATION_CAUSES = ["age", "count", "demand", "exposure", "compromise"] as const;
export type RotationCause = (typeof ROTATION_CAUSES)[number];

/**
 * Where a rotation stands (ADR 0015). `failed`: the meter would not change its keys; all that may be on it is held.
 */
export const ROTATION_PHASES = [
  "planned",
  "prepared",
  "sent",
  "confirmed",
  "unknown",
  "verified",
  "committed",
  "retired",
  "destroyed",
  "failed",
] as const;
export type RotationPhase = (typeof ROTATION_PHASES)[number];

/** The purposes that key_transfer can change. */
export const TRANSFERABLE_PURPOSES = ["GUEK", "GBEK", "GAK", "KEK"] as const;

const purposes = c.sequenceOf(oneOf(TRANSFERABLE_PURPOSES), { max: 4 });

/** Grades of takeovers that are worth repeating. */
export const REPEATED_GRADES = ["exposed"] as const;

/** More security setups than any companion specification has. */
const MOST_SETUPS = 9;

/** Where the newest rotation of a meter's security setup stands. */
export const rotationState = record({
  meter: meterTitle,
  /** From 1, counted for each security setup. */
  rotation: c.unsigned32,
  cause: oneOf(ROTATION_CAUSES),
  purposes,
  /** Higher is more urgent. */
  risk: c.unsigned32,
  phase: oneOf(ROTATION_PHASES),
  plannedAt: time,
  /** Who planned it: a principal, or `policy`. */
  plannedBy: shortText,
  endedAt: c.optional(time),
  /** Purposes whose new keys the meter has not proven, and those that never can be. */
  unproven: purposes,
  /** The state in one sentence. */
  sentence: longText,
  /** The security setup whose keys these are, by the `e` of 0-0:43.0.e.255; absent for the first. */
  setup: c.optional(c.unsigned8),
});
export type RotationState = Infer<typeof rotationState>;

export const planRotationsRequest = record({
  /** Empty: every meter that can be rotated. */
  meters: c.sequenceOf(meterTitle, { max: 1000 }),
  /** Only meters that have an active key made before this. */
  madeBefore: c.optional(time),
  /** Empty: all four; for a compromise all but the master, which is lost only where somebody says so. */
  purposes,
  cause: oneOf(ROTATION_CAUSES),
  /** Why, for the ledger. */
  reason: shortText,
  /**
   * Of these, only meters whose takeover has that grade and that can agree on a master, by their taint: who could have held the
   * factory keys. All purposes, for exposure; else `request-malformed`.
   */
  grade: c.optional(oneOf(REPEATED_GRADES)),
});
export type PlanRotations = Infer<typeof planRotationsRequest>;
/** What came of planning; meters that are not planned for have a rotation under way, or no proven takeover. */
export const planRotationsResponse = record({
  planned: wholeNumber,
  asked: wholeNumber,
  /** Of a compromise: meters whose keys were marked, also where a change that is under way comes first. */
  marked: c.optional(wholeNumber),
  /** Of a grade: meters that have it, as `asked`, and cannot agree on a master; new keys under theirs would be exposed again. */
  unable: c.optional(wholeNumber),
});

/**
 * How an exposed takeover is repeated so that nobody who held the factory keys has those after it. `agreement`: by a rotation, on
 * a master that both sides sign. `enrol`: the same, once the meter is enrolled, or enrolled anew. `visit`: only where nobody can record, in the depot:
 * it holds no certificates, or has refused to agree. `under-way`: a change of its keys is open. `setups`: by
 * none, since it has a further security setup, which is not taken over, and is open there.
 */
export const REPEAT_WAYS = ["agreement", "enrol", "visit", "under-way", "setups"] as const;
export type RepeatWay = (typeof REPEAT_WAYS)[number];

/** A meter whose takeover is graded exposed. */
export const exposedMeter = record({
  meter: meterTitle,
  way: oneOf(REPEAT_WAYS),
  /** Who could have held the factory keys: the taint set. */
  holders: c.sequenceOf(shortText, { max: 16 }),
});
export type ExposedMeter = Infer<typeof exposedMeter>;

/** The most meters that are looked at for one page. */
export const MAX_PAGE_EXPOSED = 200;

export const exposedMetersRequest = record({ after: c.optional(meterTitle) });
/** Those of a page of meters, in the order of titles. */
export const exposedMetersResponse = record({
  meters: c.sequenceOf(exposedMeter, { max: MAX_PAGE_EXPOSED }),
  /** Where to go on; absent at the end. */
  next: c.optional(meterTitle),
});

/** The most states of one page. */
export const MAX_PAGE_ROTATIONS = 500;

/** Which meters: with an open rotation, one that is not known to hold which keys, all that ever had one. */
export const ROTATION_FILTERS = ["open", "unknown", "failed", "all"] as const;

export const rotationStatesRequest = record({
  meters: c.sequenceOf(meterTitle, { max: MAX_PAGE_ROTATIONS }),
  filter: oneOf(ROTATION_FILTERS),
  /** The last system title of the former page. */
  after: c.optional(meterTitle),
});
/** One for each security setup of a meter that ever had one, after each other. */
export const rotationStatesResponse = record({
  states: c.sequenceOf(rotationState, { max: MAX_PAGE_ROTATIONS * MOST_SETUPS }),
});

/** The most meters of one page of compromised ones. */
export const MAX_PAGE_COMPROMISED = 500;

/** Where a reader of compromised keys stands: nothing up to here is told again. */
const compromisedCursor = { at: time, meter: c.optional(meterTitle) };
export const compromisedSinceRequest = record(compromisedCursor);
/** Meters with a key that became compromised after the cursor, in that order; with none left the cursor stays. */
export const compromisedSinceResponse = record({
  meters: c.sequenceOf(meterTitle, { max: MAX_PAGE_COMPROMISED }),
  ...compromisedCursor,
});

/** How keys are in the whole, for a page. */
export const keyLifeReport = record({
  meters: wholeNumber,
  /** Rotations that are open: not begun, and begun. */
  planned: wholeNumber,
  underWay: wholeNumber,
  /** Ended since ever. */
  proven: wholeNumber,
  failed: wholeNumber,
  /** Meters with an active key that is older than its crypto-period. */
  overdue: wholeNumber,
  /** Meters with a master, unicast or authentication key that they have not proven to hold. */
  unproven: wholeNumber,
  compromised: wholeNumber,
  policy: record({
    /** Days after which a key is to be changed. */
    cryptoPeriodDays: c.unsigned16,
    /** Invocation counters after which it is. */
    countLimit: c.unsigned32,
    /** Rotations that may begin in an hour. */
    perHour: c.unsigned32,
    /** Days for which keys that have gone are kept. */
    retainDays: c.unsigned16,
  }),
});
export type KeyLifeReport = Infer<typeof keyLifeReport>;

/** The longest crypto-period: NIST SP 800-57 part 1, 5.3.6, bounds it by years; five at most. */
export const MAX_CRYPTO_PERIOD_DAYS = 1826;

export const setKeyPolicyRequest = record({
  cryptoPeriodDays: c.optional(c.unsigned16),
  countLimit: c.optional(c.unsigned32),
  perHour: c.optional(c.unsigned32),
  retainDays: c.optional(c.unsigned16),
});
export type KeyPolicyChange = Infer<typeof setKeyPolicyRequest>;

/** Meters that want a contact now: those under way, then those whose turn it is. */
export const contactsDueRequest = record({ limit: c.unsigned16 });
export const contactsDueResponse = record({ meters: c.sequenceOf(meterTitle, { max: 1000 }) });

/** Transitions that a person may ask for; the others happen with rotations. */
export const KEY_COMMANDS = ["suspend", "resume", "compromise", "destroy"] as const;

export const changeKeyStateRequest = record({
  meter: meterTitle,
  purpose: oneOf(KEY_PURPOSES),
  version: c.unsigned32,
  /** Whose secret it is, where a meter has several clients with one of that purpose. */
  client: c.optional(c.unsigned16),
  /** The further security setup whose key it is; absent for the first, and for secrets of clients. */
  setup: c.optional(c.unsigned8),
  command: oneOf(KEY_COMMANDS),
  reason: shortText,
});
export type ChangeKeyState = Infer<typeof changeKeyStateRequest>;

/** Keys that are weaker than they look, a page of meters at a time. */
export const keyHygieneRequest = record({ after: c.optional(meterTitle) });
export const keyHygieneResponse = record({
  findings: c.sequenceOf(
    record({ meter: meterTitle, purpose: oneOf(KEY_PURPOSES), version: c.unsigned32, message: longText }),
    { max: 1000 },
  ),
  /** Where to go on; absent at the end. */
  next: c.optional(meterTitle),
});

/** The small types that every schema of the HTTP API is made of: JSON in camelCase, times in RFC 3339 UTC, units in the names. */
import { Type } from "typebox";

/** A closed set of words, as a JSON schema with its type (so that serialisers and form builders need not guess). */
export function words<const T extends string[]>(values: readonly [...T], description?: string) {
  return Type.Enum(values, description === undefined ? { type: "string" } : { type: "string", description });
}

export const SystemTitleText = Type.String({
  pattern: "^[0-9A-F]{16}$",
  description: "System title of a meter: 8 octets, upper-case hex",
});

export const Timestamp = Type.String({ format: "date-time", description: "RFC 3339, UTC" });

/** Words of a person: one line, without control characters (PostgreSQL takes no NUL, and no terminal should get an escape). */
export function PlainText(limits: {
  readonly minLength?: number;
  readonly maxLength: number;
  readonly description?: string;
}) {
  return Type.String({ ...limits, pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*$" });
}

/** A name of what people or the grid call something: a feeder, a profile, a group. */
export const Name64 = PlainText({ minLength: 1, maxLength: 64 });

export const Watts = (description: string) => Type.Integer({ minimum: 0, description });

/** A ledger's sequence number: what a JSON number holds exactly. */
export const Sequence = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

export const Octets = Type.String({ pattern: "^([0-9A-F]{2})*$", description: "Octets, upper-case hex" });

export const Sha256 = Type.String({ pattern: "^[0-9a-f]{64}$", description: "SHA-256, lower-case hex" });

export const Obis = Type.String({
  pattern: "^\\d{1,3}-\\d{1,3}:\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}(\\*\\d{1,3})?$",
  description: "OBIS code as A-B:C.D.E, with *F only where F is not 255",
});

export const Identifier = Type.String({ format: "uuid" });

/** Trust of a source: never of one session. */
export const TRUST_STATES = [
  "held",
  "provisional",
  "trusted",
  "degraded",
  "quarantined",
  "distrusted",
  "retired",
] as const;
export type TrustStateName = (typeof TRUST_STATES)[number];
export const TrustState = words(TRUST_STATES, "Trust of the source");

/** How far a meter is on its way from the shipment to keys that only the custodian holds. */
export const TAKEOVER_STAGES = [
  "shipped",
  "under-way",
  "probing",
  "proven",
  "refused",
  "not-applicable",
  "left",
] as const;
export type TakeoverStage = (typeof TAKEOVER_STAGES)[number];
export const TakeoverStageName = words(
  TAKEOVER_STAGES,
  "shipped: no contact yet; under-way: keys are being changed; probing: a reply was lost and the keys are being found again; proven: new keys proven, old ones dead; refused: the meter kept a key it said it had changed; not-applicable: a real meter whose keys were added by hand; left: retired, or with another owner",
);

export const METER_KINDS = ["simulated", "real"] as const;
export type MeterKind = (typeof METER_KINDS)[number];

export const SUPPLY_STATES = ["connected", "disconnected", "unknown"] as const;
export type SupplyState = (typeof SUPPLY_STATES)[number];

/** How the octets that carried a value were protected when they came in. */
export const PROTECTIONS = ["authenticated", "confidential", "none"] as const;
export type ProtectionGrade = (typeof PROTECTIONS)[number];
export const Protection = words(
  PROTECTIONS,
  "authenticated: tag verified; confidential: encrypted, but anybody could have changed it; none: sent in clear",
);

import type { SecretPurpose } from "../store/records.ts";

/**
 * Where the change of one client's secret stands (class 15): `wanted` until a new one is sent, `sent` until an association
 * with it was made, `changed` until one with the old was refused, `settled` then, or when no more can be proven.
 *
 * A secret opens less than our keys do and is set under them, so none can be lost: what is in doubt is set anew, and never
 * to a value that was sent before.
 */
export interface SecretChange {
  readonly purpose: SecretPurpose;
  /** The client's service access point. */
  readonly client: number;
  /** Its association object and how it opens, where the meter has told them and not its profile. */
  readonly object?: string | undefined;
  readonly mechanism?: "low" | "high" | "high-sha256" | undefined;
  readonly state: "wanted" | "sent" | "changed" | "settled";
  /** The version that must go; absent where nobody told us its octets. */
  readonly old?: number | undefined;
  /** Versions that may be on the meter, the likeliest first. */
  readonly belief: readonly number[];
  readonly nextVersion: number;
  /** Values that were sent. */
  readonly sent: number;
  /** Proofs that got no answer. */
  readonly silent: number;
  /** Why it is not proven, once nothing more is tried. */
  readonly unproven?: string | undefined;
}

/** A secret that is to be replaced, by what may be on the meter now. */
export function secretWantedAnew({
  purpose,
  client,
  belief,
  nextVersion,
  object,
  mechanism,
}: Pick<SecretChange, "purpose" | "client" | "belief" | "nextVersion" | "object" | "mechanism">): SecretChange {
  const [old] = belief;
  const known = old === undefined ? {} : { old };
  const told = object === undefined ? {} : { object, mechanism };
  return { purpose, client, ...told, state: "wanted", ...known, belief, nextVersion, sent: 0, silent: 0 };
}

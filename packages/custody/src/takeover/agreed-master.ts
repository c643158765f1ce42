/**
 * Where the agreement on a new master stands (key_agreement, C(2e, 0s)): `wanted`, `offered` until an answer was heard,
 * `agreed` then; `refused` where the meter does not take it, and the master is transferred as ever.
 *
 * What an offer comes to is known only once it is answered. A meter whose answer was lost may have a master that nobody else
 * has; it opens under its working keys as before and needs no master to agree on another one, so that nothing is stranded.
 */
export interface MasterAgreement {
  readonly state: "wanted" | "offered" | "agreed" | "refused";
  /** The version that was offered last. */
  readonly version: number;
  readonly refusals: number;
}

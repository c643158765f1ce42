/** A fact of the meter, and the hash of the octets that say so. */
export interface TargetFact {
  readonly name: string;
  readonly object: string;
  readonly before?: string;
  readonly wanted?: string;
  readonly found: string;
  readonly holds: boolean;
  readonly hash: string;
}

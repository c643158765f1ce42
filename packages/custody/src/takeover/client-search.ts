import type { SecretPurpose } from "../store/records.ts";

/** A client with a secret (class 15), as the meter's own association object tells it. */
export interface FoundClient {
  readonly purpose: SecretPurpose;
  /** Its service access point. */
  readonly client: number;
  /** Its association object, as the management client sees it. */
  readonly object: string;
  readonly mechanism: "low" | "high" | "high-sha256";
  /** Whether we were told the secret that the factory gave it. */
  readonly known: boolean;
}

/** Whether the meter's association objects have been looked at: for clients that its profile does not name. */
export interface ClientSearch {
  readonly state: "wanted" | "settled";
  /** How often it was asked. */
  readonly asked: number;
  /** Why secrets may be left that nobody has replaced. */
  readonly unproven?: string | undefined;
  /** Security setups that the meter has beside the first; absent where it gave no answer. */
  readonly setups?: readonly number[] | undefined;
}

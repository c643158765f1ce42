import type { SystemTitle } from "../system-title.ts";
import type { Conformance } from "../xdlms/conformance.ts";

/** What an association agreed on. */
export interface Agreement {
  readonly conformance: Conformance;
  /** Octets of the longest APDU that the client takes; undefined when it named no limit. */
  readonly maxSendPduSize: number | undefined;
  /** Octets of the longest APDU that this server takes. */
  readonly maxReceivePduSize: number;
  /** A ciphered application context was agreed. */
  readonly ciphered: boolean;
  readonly clientSystemTitle: SystemTitle | undefined;
  /** Which user of the client it is, where the AARQ said so: calling-AE-invocation-id. */
  readonly userId?: number | undefined;
}

import type { CustodianRole, HeadEndPurpose } from "@meterkeep/api/custodian";
import type { MeterPlace } from "../store/records.ts";

/** What a caller may do, where that is less than its role may. */
export interface CallerRights {
  /** Sessions it may have open at a time. */
  readonly sessions: number;
  permits(place: MeterPlace, purpose: HeadEndPurpose): boolean;
}

/** Who is on a connection, by the certificate it proved. */
export interface Caller {
  /** The name that stands in the ledger. */
  readonly name: string;
  readonly role: CustodianRole;
  /** A head-end of another vendor is bound by what it was granted; without it a caller may do what its role may. */
  readonly rights?: CallerRights;
}

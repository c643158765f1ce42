import type { CustodianRole } from "@meterkeep/api/custodian";

/** Who is on a connection, by the certificate it proved. */
export interface Caller {
  /** The name that configuration gives the certificate. */
  readonly name: string;
  readonly role: CustodianRole;
}

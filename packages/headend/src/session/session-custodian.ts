import type { Custodian } from "@meterkeep/api/custodian";

/** The custodian's part of a reading session. */
export type SessionCustodian = Pick<Custodian, "openSession" | "advanceSession" | "seal" | "open" | "closeSession">;

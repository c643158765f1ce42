import type { CustodianMethod } from "@meterkeep/api/custodian";
import type { CustodianService } from "../service/service.ts";

/** What goes on while the ledger is halted: reading what is stored, and nothing that uses a key. */
const READING: ReadonlySet<string> = new Set<CustodianMethod>([
  "status",
  "shipmentMeters",
  "takeoverStates",
  "describeKeys",
  "ledgerEntries",
  "ledgerState",
  "ledgerProof",
  "ledgerConsistency",
  "ledgerCheckpoints",
  "authorityState",
  "manifest",
  "manifests",
  "manifestTargets",
  "changes",
  "statement",
  "authorities",
  "searchCertificates",
  "newestCertificates",
  "expiryBoard",
  "assignments",
  "revocationEffect",
  "authorityMeters",
  "revocations",
  "headEnds",
  "enrolmentStates",
  "enrolmentReport",
]);

/** The same service, asking `check` before everything but reading. */
export function gatedService(service: CustodianService, check: () => void): CustodianService {
  const gated = Object.entries(service).map(([name, call]: [string, unknown]) => [
    name,
    READING.has(name)
      ? call
      : (...args: unknown[]) => {
          try {
            check();
          } catch (error) {
            return Promise.reject(error);
          }
          return (call as (...all: unknown[]) => Promise<unknown>)(...args);
        },
  ]);
  return Object.fromEntries(gated) as CustodianService;
}

import type { Conformance } from "../xdlms/conformance.ts";
import type { AssociationDefinition } from "./association-model.ts";

/** The services that an association offers unless its definition says otherwise: all that this server can do. */
export const OFFERED_CONFORMANCE: Conformance = [
  "general-protection",
  "general-block-transfer",
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "block-transfer-with-action",
  "multiple-references",
  "data-notification",
  "access",
  "event-notification",
  "get",
  "set",
  "selective-access",
  "action",
];

/** Octets of the longest APDU taken, unless the definition says otherwise. */
export const DEFAULT_MAX_RECEIVE_PDU_BYTES = 1024;

/** Octets that a response may grow to: a short request must not make the meter build an endless one. */
export const MAX_LONG_RESPONSE_BYTES = 4 * 1024 * 1024;

/** Octets that a request in blocks may grow to. */
export const MAX_LONG_REQUEST_BYTES = 65_536;

/** The services that an association under short names offers unless its definition says otherwise. */
export const OFFERED_SHORT_NAME_CONFORMANCE: Conformance = [
  "general-protection",
  "general-block-transfer",
  "read",
  "write",
  "unconfirmed-write",
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "multiple-references",
  "information-report",
  "data-notification",
  "parameterized-access",
];

/** The services of an association. */
export function offeredConformance({
  conformance,
  shortNameVersion,
}: Pick<AssociationDefinition, "conformance" | "shortNameVersion">): Conformance {
  return conformance ?? (shortNameVersion === undefined ? OFFERED_CONFORMANCE : OFFERED_SHORT_NAME_CONFORMANCE);
}

import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";

/** ServiceError ::= CHOICE (Green Book 9.5): each variant is an enumeration of its own. */
export const serviceError = c.choice({
  "application-reference": [
    0,
    c.openEnumeration({
      other: 0,
      "time-elapsed": 1,
      "application-unreachable": 2,
      "application-reference-invalid": 3,
      "application-context-unsupported": 4,
      "provider-communication-error": 5,
      "deciphering-error": 6,
    }),
  ],
  "hardware-resource": [
    1,
    c.openEnumeration({
      other: 0,
      "memory-unavailable": 1,
      "processor-resource-unavailable": 2,
      "mass-storage-unavailable": 3,
      "other-resource-unavailable": 4,
    }),
  ],
  "vde-state-error": [
    2,
    c.openEnumeration({
      other: 0,
      "no-dlms-context": 1,
      "loading-data-set": 2,
      "status-nochange": 3,
      "status-inoperable": 4,
    }),
  ],
  service: [3, c.openEnumeration({ other: 0, "pdu-size": 1, "service-unsupported": 2 })],
  definition: [
    4,
    c.openEnumeration({
      other: 0,
      "object-undefined": 1,
      "object-class-inconsistent": 2,
      "object-attribute-inconsistent": 3,
    }),
  ],
  access: [
    5,
    c.openEnumeration({
      other: 0,
      "scope-of-access-violated": 1,
      "object-access-violated": 2,
      "hardware-fault": 3,
      "object-unavailable": 4,
    }),
  ],
  initiate: [
    6,
    c.openEnumeration({
      other: 0,
      "dlms-version-too-low": 1,
      "incompatible-conformance": 2,
      "pdu-size-too-short": 3,
      "refused-by-the-vde-handler": 4,
    }),
  ],
  "load-data-set": [7, c.openEnumeration({ other: 0 })],
  task: [
    9,
    c.openEnumeration({ other: 0, "no-remote-control": 1, "ti-stopped": 2, "ti-running": 3, "ti-unusable": 4 }),
  ],
});
export type ServiceError = Infer<typeof serviceError>;

/** ConfirmedServiceError ::= CHOICE: the service that failed, and how. */
export const confirmedServiceError = c.choice({
  "initiate-error": [1, serviceError],
  "get-status": [2, serviceError],
  "get-name-list": [3, serviceError],
  "get-variable-attribute": [4, serviceError],
  read: [5, serviceError],
  write: [6, serviceError],
  "get-data-set-attribute": [7, serviceError],
});
export type ConfirmedServiceError = Infer<typeof confirmedServiceError>;

/**
 * ExceptionResponse ::= SEQUENCE { state-error, service-error }.
 *
 * `invocation-counter-error` carries the counter that the receiver expects next.
 */
export const exceptionResponse = c.struct({
  stateError: c.openEnumeration({ "service-not-allowed": 1, "service-unknown": 2 }),
  serviceError: c.choice({
    "operation-not-possible": [1, c.nothing],
    "service-not-supported": [2, c.nothing],
    "other-reason": [3, c.nothing],
    "pdu-too-long": [4, c.nothing],
    "deciphering-error": [5, c.nothing],
    "invocation-counter-error": [6, c.unsigned32],
  }),
});
export type ExceptionResponse = Infer<typeof exceptionResponse>;

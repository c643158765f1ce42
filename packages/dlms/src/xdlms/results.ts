import type { Infer } from "../codec/codec.ts";
import { openEnumeration } from "../codec/enumeration.ts";

/** Data-Access-Result (Green Book 9.5): how reading or writing an attribute went. */
export const DATA_ACCESS_RESULTS = {
  success: 0,
  "hardware-fault": 1,
  "temporary-failure": 2,
  "read-write-denied": 3,
  "object-undefined": 4,
  "object-class-inconsistent": 9,
  "object-unavailable": 11,
  "type-unmatched": 12,
  "scope-of-access-violated": 13,
  "data-block-unavailable": 14,
  "long-get-aborted": 15,
  "no-long-get-in-progress": 16,
  "long-set-aborted": 17,
  "no-long-set-in-progress": 18,
  "data-block-number-invalid": 19,
  "other-reason": 250,
} as const;

/** Action-Result (Green Book 9.5): how calling a method went. */
export const ACTION_RESULTS = {
  success: 0,
  "hardware-fault": 1,
  "temporary-failure": 2,
  "read-write-denied": 3,
  "object-undefined": 4,
  "object-class-inconsistent": 9,
  "object-unavailable": 11,
  "type-unmatched": 12,
  "scope-of-access-violated": 13,
  "data-block-unavailable": 14,
  "long-action-aborted": 15,
  "no-long-action-in-progress": 16,
  "other-reason": 250,
} as const;

export const dataAccessResult = openEnumeration(DATA_ACCESS_RESULTS);
export const actionResult = openEnumeration(ACTION_RESULTS);

/** A name of `DATA_ACCESS_RESULTS`, or the number of a manufacturer's own. */
export type DataAccessResult = Infer<typeof dataAccessResult>;
/** A name of `ACTION_RESULTS`, or the number of a manufacturer's own. */
export type ActionResult = Infer<typeof actionResult>;

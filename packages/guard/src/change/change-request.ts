import { exactly, type FieldValue, hexOctets, instant, object, oneOf, text } from "../canonical/field.ts";
import { principalName } from "../manifest/header.ts";
import { CHANGE_KIND_NAMES } from "./change-kinds.ts";
import { facts } from "./facts.ts";

/** A change of the custodian's own rules, or an act of its own that people must agree to: what is hashed and approved. */
export const changeRequest = object({
  format: exactly("meterkeep-change-1"),
  kind: oneOf(CHANGE_KIND_NAMES),
  body: facts,
  /** Who asks; never one who approves. */
  requester: principalName,
  reason: text(512),
  createdAt: instant,
  /** What is not executed by then never is. */
  expiresAt: instant,
  nonce: hexOctets(16, 16),
});
export type ChangeRequest = FieldValue<typeof changeRequest>;

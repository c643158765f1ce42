import { returnValueOf } from "../errors.ts";

const CKR_GENERAL_ERROR = 0x05;
/** CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID. */
const REFUSALS: ReadonlySet<unknown> = new Set([0x110, 0x112, 0x40]);

/**
 * Whether a token that did not unwrap something said that it does not open. CKR_GENERAL_ERROR is SoftHSM's word for that, and
 * any token's for being in trouble: it means the former only where the token unwraps what it has just wrapped.
 *
 * @param works wraps something fresh under the same key and unwraps it; throws where the token does not
 */
export function isUnwrapRefusal(error: unknown, works: () => void): boolean {
  const value = returnValueOf(error);
  if (value !== CKR_GENERAL_ERROR) return REFUSALS.has(value);
  try {
    works();
    return true;
  } catch {
    return false;
  }
}

/** Bits of security_policy in version 1 (Blue Book 4.4.7). */
export const POLICY_BITS = {
  authenticatedRequest: 0x04,
  encryptedRequest: 0x08,
  signedRequest: 0x10,
  authenticatedResponse: 0x20,
  encryptedResponse: 0x40,
  signedResponse: 0x80,
} as const;
/** Authenticated and encrypted both ways: what these meters ask for. */
export const FULL_POLICY =
  POLICY_BITS.authenticatedRequest |
  POLICY_BITS.encryptedRequest |
  POLICY_BITS.authenticatedResponse |
  POLICY_BITS.encryptedResponse;

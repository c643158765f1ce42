/** The security suites of DLMS (Green Book 9.2.3.7): which algorithms, and how long keys and signatures are. */
export const SECURITY_SUITES = {
  0: { aead: "aes-128-gcm", keyWrap: "aes-128", keyBytes: 16, curve: undefined, hash: undefined, signatureBytes: 0 },
  1: { aead: "aes-128-gcm", keyWrap: "aes-128", keyBytes: 16, curve: "P-256", hash: "sha-256", signatureBytes: 64 },
  2: { aead: "aes-256-gcm", keyWrap: "aes-256", keyBytes: 32, curve: "P-384", hash: "sha-384", signatureBytes: 96 },
} as const;

export type SecuritySuiteId = keyof typeof SECURITY_SUITES;

/** Octets of the authentication tag, the initialisation vector and the invocation counter in every suite. */
export const TAG_BYTES = 12;
export const IV_BYTES = 12;
export const INVOCATION_COUNTER_BYTES = 4;
/** The last invocation counter there is: a key that has used it must be replaced. */
export const MAX_INVOCATION_COUNTER = 0xffffffff;

/** Whether a number names a suite that exists. */
export function isSecuritySuiteId(value: number): value is SecuritySuiteId {
  return value === 0 || value === 1 || value === 2;
}

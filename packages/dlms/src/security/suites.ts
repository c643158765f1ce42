/** Security suites (Green Book table 18): one row each; nothing below the table compares suite numbers. */
export const SECURITY_SUITES = {
  0: { aead: "aes-128-gcm", keyBytes: 16, hash: undefined, curve: undefined, signatureBytes: 0 },
  1: { aead: "aes-128-gcm", keyBytes: 16, hash: "sha-256", curve: "P-256", signatureBytes: 64 },
  2: { aead: "aes-256-gcm", keyBytes: 32, hash: "sha-384", curve: "P-384", signatureBytes: 96 },
} as const;

export type SecuritySuiteId = keyof typeof SECURITY_SUITES;

/** The authentication tag has 12 octets in every suite. */
export const TAG_BYTES = 12;
/** The initialization vector: system title (8) and invocation counter (4). */
export const IV_BYTES = 12;
/** An invocation counter at this value must not be used again: the key has to change. */
export const LAST_INVOCATION_COUNTER = 0xffff_ffff;

/** Whether a number names a suite that exists. */
export function isSecuritySuiteId(value: number): value is SecuritySuiteId {
  return value === 0 || value === 1 || value === 2;
}

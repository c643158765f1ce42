import { concatBytes, fromHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { Hashes } from "./ports.ts";
import type { SecurityProfile } from "./profile.ts";
import { SECURITY_SUITES, type SecuritySuiteId } from "./suites.ts";

/** What a derived key is for: the last octet of its AlgorithmID (Green Book 9.2.3.4.6.5). */
const ALGORITHMS = {
  "aes-128-gcm": 0x00,
  "aes-256-gcm": 0x01,
  "aes-128": 0x02,
  "aes-256": 0x03,
} as const;
const KEY_ALGORITHMS = 0x03;
const FIRST_COUNTER = Uint8Array.of(0, 0, 0, 1);

/** What goes into a derived key beside the shared secret. */
export interface DerivationInput {
  /** The shared secret, x coordinate of the common point. Destroyed here: it must serve for one key only. */
  readonly z: Uint8Array;
  /** `cipher` for a key of AES-GCM, `key-wrap` for a key-encryption key. */
  readonly use?: "cipher" | "key-wrap";
  /** The originator's system title, and its transaction id where both keys are static: see `staticPartyInfo`. */
  readonly partyU: Uint8Array;
  readonly partyV: Uint8Array;
}

/**
 * Derives a key from a shared secret (NIST SP 800-56A concatenation, one round; Green Book 9.2.3.4.6.5): the leftmost
 * octets of `H(00000001 || Z || AlgorithmID || PartyUInfo || PartyVInfo)`.
 *
 * @throws DlmsError `invalid-value` for suite 0, which has no curve; `wrong-length` for a secret of another curve
 */
export function deriveKey(
  hashes: Hashes,
  suite: SecuritySuiteId,
  profile: Pick<SecurityProfile, "algorithmIdPrefix">,
  { z, use = "cipher", partyU, partyV }: DerivationInput,
): Uint8Array {
  const { hash, aead, keyWrap, keyBytes, signatureBytes } = SECURITY_SUITES[suite];
  if (hash === undefined) throw new DlmsError("invalid-value", "suite 0 agrees on no keys");
  if (z.length * 2 !== signatureBytes)
    throw new DlmsError("wrong-length", `a shared secret of suite ${suite} has ${signatureBytes / 2} octets`);
  const algorithm = ALGORITHMS[use === "cipher" ? aead : keyWrap];
  const algorithmId = concatBytes(fromHex(profile.algorithmIdPrefix), Uint8Array.of(KEY_ALGORITHMS, algorithm));
  const input = concatBytes(FIRST_COUNTER, z, algorithmId, partyU, partyV);
  const digest = hashes.digest(hash, input);
  const key = digest.slice(0, keyBytes);
  input.fill(0);
  digest.fill(0);
  z.fill(0);
  return key;
}

/** PartyUInfo where both keys are static: the title and, with its length, a transaction id that never repeats. */
export function staticPartyInfo(originator: Uint8Array, transactionId: Uint8Array): Uint8Array {
  if (transactionId.length > 0x7f)
    throw new DlmsError("wrong-length", `a transaction id of ${transactionId.length} octets`);
  return concatBytes(originator, Uint8Array.of(transactionId.length), transactionId);
}

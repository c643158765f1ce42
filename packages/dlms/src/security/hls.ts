import { concatBytes, NO_BYTES } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { SystemTitle } from "../system-title.ts";
import { initializationVector, type ProtectionKeys, readContentHeader } from "./content.ts";
import type { Ciphers, Hashes } from "./ports.ts";
import { TAG_BYTES } from "./suites.ts";

/** Challenges have 8 to 64 octets (Green Book 9.2.2.2.2.4); with ECDSA at least 32. */
export const CHALLENGE_BYTES = { least: 8, most: 64 } as const;

/**
 * The answer to a challenge under mechanism 5: security control, counter and a GMAC over the challenge, 17 octets
 * (Green Book 9.2.7.4).
 *
 * @param header.counter a counter of this key that was never used before
 */
export function gmacReply<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  header: { readonly suite: number; readonly originator: SystemTitle; readonly counter: number },
  challenge: Uint8Array,
): Uint8Array {
  const control = 0x10 | header.suite;
  const { counter } = header;
  const head = Uint8Array.of(control, counter >>> 24, (counter >>> 16) & 0xff, (counter >>> 8) & 0xff, counter & 0xff);
  const iv = initializationVector(header.originator, counter);
  const tag = ciphers.seal(keys.encryption, iv, gmacData(control, keys, challenge), NO_BYTES);
  return concatBytes(head, tag);
}

/**
 * Verifies the answer to our challenge and gives the counter inside, which the caller judges against the value before
 * its carrier's; undefined when it is not authentic.
 */
export function verifyGmacReply<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  originator: SystemTitle,
  challenge: Uint8Array,
  reply: Uint8Array,
): { readonly counter: number } | undefined {
  if (reply.length !== 5 + TAG_BYTES) return undefined;
  const { control, counter } = readContentHeader(reply);
  if (!control.authenticated || control.encrypted || control.broadcast || control.compressed) return undefined;
  const aad = gmacData(reply[0]!, keys, challenge);
  const iv = initializationVector(originator, counter);
  const opened = ciphers.open(keys.encryption, iv, aad, NO_BYTES, reply.subarray(5));
  return opened === undefined ? undefined : { counter };
}

/**
 * The answer to a challenge under the hashing mechanisms: 3 (MD5) and 4 (SHA-1) hash the challenge and the secret,
 * 6 (SHA-256) the secret, both system titles and both challenges (Green Book 9.2.2.2.2.4).
 */
export function hashReply(
  hashes: Hashes,
  mechanism: 3 | 4 | 6,
  input: {
    readonly secret: Uint8Array;
    /** The challenge that is answered. */
    readonly challenge: Uint8Array;
    /** The challenge that this side had sent. */
    readonly ownChallenge: Uint8Array;
    readonly ownTitle: SystemTitle;
    readonly otherTitle: SystemTitle;
  },
): Uint8Array {
  const { secret, challenge } = input;
  if (mechanism === 3) return hashes.digest("md5", concatBytes(challenge, secret));
  if (mechanism === 4) return hashes.digest("sha-1", concatBytes(challenge, secret));
  return hashes.digest("sha-256", concatBytes(secret, input.ownTitle, input.otherTitle, challenge, input.ownChallenge));
}

function gmacData<Key>(control: number, keys: ProtectionKeys<Key>, challenge: Uint8Array): Uint8Array {
  if (keys.authentication === undefined) throw new DlmsError("key-missing", "the authentication key is not known");
  return concatBytes(Uint8Array.of(control), keys.authentication, challenge);
}

import { concatBytes, NO_BYTES } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { SystemTitle } from "../system-title.ts";
import { type ProtectionKeys, readContentHeader } from "./content.ts";
import type { AdditionalData, Ciphers } from "./ports.ts";
import { TAG_BYTES } from "./suites.ts";

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
  const vector = { originator: header.originator, counter };
  const tag = ciphers.seal(keys.encryption, vector, gmacData(control, keys, challenge), NO_BYTES);
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
  const data = gmacData(reply[0]!, keys, challenge);
  const opened = ciphers.open(keys.encryption, { originator, counter }, data, NO_BYTES, reply.subarray(5));
  return opened === undefined ? undefined : { counter };
}

function gmacData<Key>(control: number, keys: ProtectionKeys<Key>, challenge: Uint8Array): AdditionalData {
  const { authentication } = keys;
  if (authentication === undefined) throw new DlmsError("key-missing", "the authentication key is not known");
  return { control, authentication, text: challenge };
}

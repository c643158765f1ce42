import { NO_BYTES } from "../bytes.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import type { SystemTitle } from "../system-title.ts";
import { readSecurityControl, type SecurityControl, securityControlOctet } from "./control.ts";
import type { Ciphers } from "./ports.ts";
import { MAX_INVOCATION_COUNTER, TAG_BYTES } from "./suites.ts";

/** The keys that protect one direction of one association. */
export interface ProtectionKeys<Key> {
  /** The unicast key (or the dedicated one, for the dedicated forms). */
  readonly encryption: Key;
  /** Used where the security control says broadcast. */
  readonly broadcast?: Key | undefined;
  /** The authentication key. It travels as additional data, so the host always sees its octets. */
  readonly authentication?: Uint8Array | undefined;
}

/** Where a protected text stands. */
export interface ContentContext {
  readonly originator: SystemTitle;
  /** Octets outside the text that the tag covers as well: the header of general-ciphering. */
  readonly associated?: Uint8Array | undefined;
  /** The counter of the initialisation vector, where it is not the one carried: see `SecurityProfile`. */
  readonly vectorCounter?: number | undefined;
}

/** What a protected APDU says about itself. */
export interface ProtectionFacts {
  readonly control: SecurityControl;
  readonly counter: number;
  /** `verified`: authentic. `absent`: no tag was sent, anybody may have changed it. `unchecked`: there was one, not looked at. */
  readonly tag: "verified" | "absent" | "unchecked";
}

/** A plain APDU and how it had been protected. */
export interface Unprotected extends ProtectionFacts {
  readonly plain: Uint8Array;
}

const HEADER_BYTES = 5;

/**
 * Protects `plain` (Green Book 9.2.7.2): security control, counter, then the text, ciphered or not, and the tag if any.
 *
 * The caller guarantees that `counter` was never used before under this key by this originator.
 *
 * @throws DlmsError `key-missing`; `out-of-range` at the end of the counter; `invalid-value` for a control without protection
 */
export function protectContent<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  header: ContentHeader,
  plain: Uint8Array,
): Uint8Array {
  const content = new Uint8Array(contentLength(header.control, plain));
  writeContent(ciphers, keys, header, plain, content, 0);
  return content;
}

/** What stands before a protected text. */
export interface ContentHeader extends ContentContext {
  readonly control: SecurityControl;
  readonly counter: number;
}

/** Octets that `protectContent` makes of a plain text. */
export function contentLength({ authenticated }: SecurityControl, plain: Uint8Array): number {
  return HEADER_BYTES + plain.length + (authenticated ? TAG_BYTES : 0);
}

/** `protectContent` into octets that are there already: most APDUs are small, and each array made for them counts. */
export function writeContent<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  { control, originator, counter, associated, vectorCounter = counter }: ContentHeader,
  plain: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  if (counter < 0 || counter >= MAX_INVOCATION_COUNTER || !Number.isInteger(counter))
    throw new DlmsError("out-of-range", `invocation counter ${counter}: the key must be changed before it is used up`);
  if (control.compressed) throw new DlmsError("compression-unsupported", "compressed APDUs are not supported");
  const octet = securityControlOctet(control);
  out[at] = octet;
  writeCounter(out, at + 1, counter);
  const textAt = at + HEADER_BYTES;
  const key = encryptionKey(keys, control);
  const vector = { originator, counter: vectorCounter };
  if (control.encrypted && control.authenticated) {
    const data = { control: octet, authentication: authenticationOf(keys), associated, text: undefined };
    out.set(ciphers.seal(key, vector, data, plain), textAt);
  } else if (control.encrypted) out.set(ciphers.crypt(key, vector, plain), textAt);
  else if (control.authenticated) {
    out.set(plain, textAt);
    const data = { control: octet, authentication: authenticationOf(keys), associated, text: plain };
    out.set(ciphers.seal(key, vector, data, NO_BYTES), textAt + plain.length);
  } else throw new DlmsError("invalid-value", "security control asks for neither authentication nor encryption");
}

/**
 * Verifies and deciphers what `protectContent` made.
 *
 * @param options.unverified deciphers although the authentication key is not known; the result says `unchecked`
 * @throws DecodeError where octets are missing; DlmsError `authentication-failed` when the tag does not fit,
 *   `key-missing` when there is a tag and no authentication key, `compression-unsupported`
 */
export function unprotectContent<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  { originator, associated, vectorCounter }: ContentContext,
  content: Uint8Array,
  options?: { readonly unverified?: boolean },
): Unprotected {
  const { control, counter } = readContentHeader(content);
  if (control.compressed) throw new DlmsError("compression-unsupported", "compressed APDUs are not supported");
  const key = encryptionKey(keys, control);
  const vector = { originator, counter: vectorCounter ?? counter };
  if (!control.authenticated) {
    const body = content.subarray(HEADER_BYTES);
    const plain = control.encrypted ? ciphers.crypt(key, vector, body) : body;
    return { plain, control, counter, tag: "absent" };
  }
  const tagAt = content.length - TAG_BYTES;
  if (tagAt < HEADER_BYTES) throw new DecodeError("truncated", content.length, "no room for the authentication tag");
  const body = content.subarray(HEADER_BYTES, tagAt);
  if (options?.unverified === true) {
    const plain = control.encrypted ? ciphers.crypt(key, vector, body) : body;
    return { plain, control, counter, tag: "unchecked" };
  }
  const tag = content.subarray(tagAt);
  const authentication = authenticationOf(keys);
  const text = control.encrypted ? undefined : body;
  const data = { control: content[0]!, authentication, associated, text };
  const opened = ciphers.open(key, vector, data, control.encrypted ? body : NO_BYTES, tag);
  const plain = control.encrypted || opened === undefined ? opened : body;
  if (plain === undefined) throw new DlmsError("authentication-failed", "the authentication tag does not fit");
  return { plain, control, counter, tag: "verified" };
}

/** Security control and counter, without a key. @throws DecodeError `truncated` */
export function readContentHeader(content: Uint8Array): {
  readonly control: SecurityControl;
  readonly counter: number;
} {
  if (content.length < HEADER_BYTES)
    throw new DecodeError("truncated", content.length, "security control and invocation counter take 5 octets");
  const counter = ((content[1]! << 24) | (content[2]! << 16) | (content[3]! << 8) | content[4]!) >>> 0;
  return { control: readSecurityControl(content[0]!), counter };
}

function writeCounter(out: Uint8Array, at: number, counter: number): void {
  out[at] = counter >>> 24;
  out[at + 1] = counter >>> 16;
  out[at + 2] = counter >>> 8;
  out[at + 3] = counter;
}

function authenticationOf<Key>({ authentication }: ProtectionKeys<Key>): Uint8Array {
  if (authentication === undefined) throw new DlmsError("key-missing", "the authentication key is not known");
  return authentication;
}

function encryptionKey<Key>(keys: ProtectionKeys<Key>, control: SecurityControl): Key {
  if (!control.broadcast) return keys.encryption;
  if (keys.broadcast === undefined) throw new DlmsError("key-missing", "the broadcast key is not known");
  return keys.broadcast;
}

import { concatBytes, NO_BYTES } from "../bytes.ts";
import { DecodeError } from "../errors.ts";
import { hex } from "../link/fault.ts";
import { softwareGcm, softwareKey } from "../security/software-aes.ts";
import { type CipheredApdu, titleText } from "./ciphered.ts";
import { beginsLikeContent, type Content, readContent } from "./content.ts";
import { weaknessOf } from "./key-hygiene.ts";
import type { MeterKeys } from "./keys.ts";
import { makerOf } from "./maker.ts";
import type { TelegramErrorCode } from "./refusal.ts";
import type { Authentication, SecurityFacts } from "./security-facts.ts";
import { printableText } from "./value.ts";
import { type TelegramWarning, warning } from "./warning.ts";

/** What opening needs of AES-GCM; keys are octets here, 16 or 32 of them. */
export interface TelegramCiphers {
  /** Counter mode inside GCM: deciphers without looking at any tag. */
  crypt(key: Uint8Array, iv: Uint8Array, octets: Uint8Array): Uint8Array;
  /** The plain text, or undefined when the tag does not hold. */
  open(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, cipher: Uint8Array, tag: Uint8Array): Uint8Array | undefined;
}

/** The ciphers of this package: they need no platform, and are neither fast nor free of timing differences. */
export const SOFTWARE_TELEGRAM_CIPHERS: TelegramCiphers = {
  crypt: (key, iv, octets) => softwareGcm.crypt(softwareKey(key), iv, octets),
  open: (key, iv, aad, cipher, tag) => softwareGcm.open(softwareKey(key), iv, aad, cipher, tag),
};

/** The outcome of opening: the content with what protected it, or why it stays closed. */
export type Opened =
  | {
      readonly kind: "opened";
      readonly content: Content;
      readonly plaintext: Uint8Array;
      readonly facts: SecurityFacts;
      readonly warnings: readonly TelegramWarning[];
    }
  | { readonly kind: "refused"; readonly code: TelegramErrorCode; readonly message: string };

/**
 * Opens a ciphered APDU with the keys of its meter.
 *
 * A key fits when what comes out makes sense to its last octet; a tag decides more sharply when there is one and the
 * authentication key is known. Keys that were exchanged are named, since that is the commonest mistake of all.
 */
export function openCiphered(
  ciphered: CipheredApdu,
  systemTitle: Uint8Array,
  keys: MeterKeys,
  ciphers: TelegramCiphers,
): Opened {
  const { securityControl, content, tag } = ciphered;
  const unsupported = unsupportedReason(ciphered);
  if (unsupported !== undefined) return refused("ciphering-unsupported", unsupported);
  const isEncrypted = securityControl.encrypted;
  const isTagged = tag.length > 0;
  const isBroadcast = securityControl.broadcast || ciphered.key === "global-broadcast";
  const key = (isBroadcast ? keys.broadcastKey : undefined) ?? keys.encryptionKey;
  const { authenticationKey } = keys;

  if (isEncrypted && key === undefined) return refused("key-needed", keyNeeded(systemTitle, isBroadcast));
  const nonce = nonceOf(systemTitle, ciphered.invocationCounter);
  const attempt: Attempt = { ciphered, nonce, ciphers };
  const plaintext = isEncrypted && key !== undefined ? ciphers.crypt(key, nonce, content) : content;

  let authentication: Authentication = isTagged ? "not-checked" : "absent";
  const understood = understand(plaintext);
  if (isTagged && key !== undefined && authenticationKey !== undefined) {
    if (!tagHolds(attempt, key, authenticationKey)) {
      if (tagHolds(attempt, authenticationKey, key)) return refused("keys-swapped", SWAPPED);
      return wrongTag(understood, plaintext);
    }
    authentication = "verified";
  }
  if (understood.kind === "failed") {
    if (authentication === "verified" || beginsLikeContent(plaintext) || !isEncrypted)
      return refused("apdu-malformed", `the telegram was opened and is malformed: ${understood.error.message}`);
    if (authenticationKey !== undefined && isSense(ciphers.crypt(authenticationKey, nonce, content)))
      return refused("keys-swapped", SWAPPED);
    return refused("key-does-not-fit", keyMisfit(understood.error));
  }
  const facts: SecurityFacts = {
    encrypted: isEncrypted,
    authentication,
    claimedSuite: securityControl.suite,
    securityControl: hex(ciphered.securityControlOctet),
    cipher: !isEncrypted && authentication !== "verified" ? null : key?.length === 32 ? "AES-256-GCM" : "AES-128-GCM",
    keySet: isBroadcast ? "broadcast" : "unicast",
    invocationCounter: ciphered.invocationCounter,
  };
  const used = isTagged ? authenticationKey : undefined;
  return { kind: "opened", content: understood.content, plaintext, facts, warnings: keyWarnings(facts, key, used) };
}

const SWAPPED =
  "the two keys fit when they are exchanged: what was given as the encryption key is the authentication key";

interface Attempt {
  readonly ciphered: CipheredApdu;
  readonly nonce: Uint8Array;
  readonly ciphers: TelegramCiphers;
}

type Understood =
  | { readonly kind: "understood"; readonly content: Content }
  | { readonly kind: "failed"; readonly error: DecodeError };

function understand(plaintext: Uint8Array): Understood {
  try {
    return { kind: "understood", content: readContent(plaintext) };
  } catch (error) {
    if (error instanceof DecodeError) return { kind: "failed", error };
    throw error;
  }
}

function isSense(plaintext: Uint8Array): boolean {
  return understand(plaintext).kind === "understood";
}

/** The tag covers SC || AK, the header of general-ciphering, and the plaintext where that is only authenticated. */
function tagHolds({ ciphered, nonce, ciphers }: Attempt, key: Uint8Array, authenticationKey: Uint8Array): boolean {
  const { securityControlOctet, authenticatedHeader, content, tag } = ciphered;
  const head = concatBytes(Uint8Array.of(securityControlOctet), authenticationKey, authenticatedHeader);
  const opened = ciphered.securityControl.encrypted
    ? ciphers.open(key, nonce, head, content, tag)
    : ciphers.open(key, nonce, concatBytes(head, content), NO_BYTES, tag);
  return opened !== undefined;
}

function wrongTag(understood: Understood, plaintext: Uint8Array): Opened {
  if (understood.kind === "failed" && !beginsLikeContent(plaintext))
    return refused("key-does-not-fit", keyMisfit(understood.error));
  return refused(
    "authentication-key-does-not-fit",
    "the encryption key opens the telegram, but its tag does not hold: the authentication key does not fit, or the " +
      "telegram was changed on its way. Leave the authentication key out to see it unauthenticated",
  );
}

function unsupportedReason(ciphered: CipheredApdu): string | undefined {
  if (ciphered.securityControl.compressed) return "the telegram is compressed (V.44)";
  if (ciphered.key === "dedicated") return "the telegram is ciphered with the key of a session";
  if (ciphered.key === "wrapped" || ciphered.key === "agreed")
    return `the key of the telegram is ${ciphered.key}: that needs the key management of a head-end`;
  return undefined;
}

function keyNeeded(systemTitle: Uint8Array, isBroadcast: boolean): string {
  const maker = makerOf(printableText(systemTitle.subarray(0, 3)) ?? "");
  const who = `meter ${titleText(systemTitle)}${maker === undefined ? "" : ` (${maker.name ?? maker.flag})`}`;
  const which = isBroadcast ? "broadcast encryption key" : "encryption key";
  return `the telegram of ${who} is encrypted: its ${which} is needed`;
}

function keyMisfit(error: DecodeError): string {
  return `the encryption key does not fit: what comes out is no telegram (${error.message})`;
}

function keyWarnings(
  facts: SecurityFacts,
  key: Uint8Array | undefined,
  authenticationKey: Uint8Array | undefined,
): TelegramWarning[] {
  const warnings: TelegramWarning[] = [];
  if (!facts.encrypted) warnings.push(warning("not-encrypted", "anybody on the line can read this telegram"));
  if (facts.authentication === "absent")
    warnings.push(
      warning(
        "no-authentication-tag",
        "the telegram has no tag: whoever can write to the line can change what it says",
      ),
    );
  if (facts.authentication === "not-checked")
    warnings.push(
      warning("tag-not-checked", "the telegram has a tag, which was not checked: give the authentication key to do so"),
    );
  const weak = key === undefined || facts.cipher === null ? undefined : weaknessOf(key);
  if (weak !== undefined) warnings.push(warning("weak-key", `the encryption key ${weak}`));
  const weakToo = authenticationKey === undefined ? undefined : weaknessOf(authenticationKey);
  if (weakToo !== undefined) warnings.push(warning("weak-key", `the authentication key ${weakToo}`));
  const keyBytes = facts.claimedSuite === 2 ? 32 : 16;
  if (key !== undefined && facts.cipher !== null && key.length !== keyBytes)
    warnings.push(
      warning(
        "suite-mismatch",
        `the telegram claims suite ${facts.claimedSuite}, but a key of ${key.length} octets opens it`,
      ),
    );
  return warnings;
}

function nonceOf(systemTitle: Uint8Array, counter: number): Uint8Array {
  return concatBytes(
    systemTitle,
    Uint8Array.of(counter >>> 24, (counter >>> 16) & 0xff, (counter >>> 8) & 0xff, counter & 0xff),
  );
}

function refused(code: TelegramErrorCode, message: string): Opened {
  return { kind: "refused", code, message };
}

import { concatBytes } from "../bytes.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { unprotectContent } from "./content.ts";
import { type ProtectedData, unprotectData } from "./data-protection.ts";
import { parseGeneralCiphering } from "./general-ciphering.ts";
import { generalHeaderOctets } from "./general-header.ts";
import { parseGeneralSigning, type SignedApdu } from "./general-signing.ts";
import { deriveKey, staticPartyInfo } from "./key-derivation.ts";
import { curveOf } from "./message-key.ts";
import type { SecurityPlatform } from "./ports.ts";
import { GBCS_SECURITY } from "./profile.ts";
import { GENERAL_TAGS } from "./tags.ts";

// Great Britain's companion specification. A message is a general-signing APDU, and where it has a MAC this stands
// inside a general-ciphering APDU with an empty header and without key-info: the key is agreed of static keys with the
// titles and the transaction id of the message inside (GBCS 4.3.3 and 7.2.7).

/** Whether a message commands, responds or alerts: the first octet of its transaction id. 4 is data that it carries ciphered. */
export const GBCS_FLAGS = { command: 1, response: 2, alert: 3, encryption: 4 } as const;
export type GbcsFlag = keyof typeof GBCS_FLAGS;

/** GBCS has suite 1 alone. */
const SUITE = 1;
const TRANSACTION_ID_BYTES = 9;
const NO_HEADER = {
  transactionId: new Uint8Array(0),
  originator: undefined,
  recipient: undefined,
  dateTime: new Uint8Array(0),
  otherInformation: new Uint8Array(0),
} as const;

/** A GBCS message, taken apart. Nothing of it is verified. */
export interface GbcsMessage {
  readonly flag: Exclude<GbcsFlag, "encryption">;
  /** 8 octets. */
  readonly counter: Uint8Array;
  readonly originator: SystemTitle;
  readonly recipient: SystemTitle;
  /** The message code: which use case it belongs to. */
  readonly messageCode: number;
  /** For whom the data in the message is ciphered, where that is not the recipient, and with which counter. */
  readonly dataRecipient: { readonly title: SystemTitle; readonly counter: Uint8Array | undefined } | undefined;
  readonly signed: SignedApdu;
  /** Security control, counter, the signed APDU and the MAC, where it has one. */
  readonly authenticated: Uint8Array | undefined;
}

/**
 * Takes a message apart: general-signing, alone or with a MAC around it. A command that waits for its signature may
 * end with its content.
 *
 * @throws DecodeError
 */
export function parseGbcsMessage(octets: Uint8Array): GbcsMessage {
  const outer = octets[0] === GENERAL_TAGS.generalCiphering ? parseGeneralCiphering(octets) : undefined;
  if (outer !== undefined && (outer.keyInfo !== undefined || outer.header.octets.some((octet) => octet !== 0)))
    throw new DecodeError("wrong-value", 1, "a MAC around a GBCS message has an empty header and no key-info");
  const authenticated = outer?.content;
  const signed = parseGeneralSigning(authenticated === undefined ? octets : authenticated.subarray(5, -12), {
    mayBeUnsigned: true,
  });
  const { transactionId, originator, recipient, otherInformation } = signed.header;
  const flag = Object.entries(GBCS_FLAGS).find(([, number]) => number === transactionId[0])?.[0];
  if (transactionId.length !== TRANSACTION_ID_BYTES || flag === undefined || flag === "encryption")
    throw new DecodeError("wrong-value", 2, "the transaction id is no flag and counter").within("transactionId");
  if (originator === undefined || recipient === undefined || otherInformation.length < 2)
    throw new DecodeError("wrong-length", 2, "a GBCS message names originator, recipient and message code");
  return {
    flag: flag as GbcsMessage["flag"],
    counter: transactionId.subarray(1),
    originator,
    recipient,
    messageCode: (otherInformation[0]! << 8) | otherInformation[1]!,
    dataRecipient: dataRecipientOf(otherInformation),
    signed,
    authenticated,
  };
}

/**
 * Takes the protection off data that a message carries (class 30). Data for another than the message's recipient is
 * ciphered for the one that the message names beside it, whatever the parameters of the data say.
 *
 * @throws what `unprotectData` throws
 */
export function openGbcsPayload<Key>(
  platform: SecurityPlatform<Key>,
  agreement: { readonly agreement: Key; readonly otherAgreement: Uint8Array },
  { dataRecipient }: GbcsMessage,
  { parameters, octets }: ProtectedData,
): Uint8Array {
  const meant = parameters.map((layer) => {
    const { protectionOptions: options } = layer;
    const transactionId =
      dataRecipient?.counter === undefined
        ? options.transactionId
        : concatBytes(Uint8Array.of(GBCS_FLAGS.encryption), dataRecipient.counter);
    const recipientSystemTitle = dataRecipient?.title ?? options.recipientSystemTitle;
    return { ...layer, protectionOptions: { ...options, transactionId, recipientSystemTitle } };
  });
  // There are no global keys: every key is agreed, and the one that stands here for them is never used.
  const keys = { encryption: agreement.agreement, ...agreement };
  const setup = { platform, suite: SUITE, profile: GBCS_SECURITY, keys } as const;
  return unprotectData(setup, { parameters: meant, octets }).plain;
}

/** Both sides of a key of GBCS, and what it is for. */
export interface GbcsKeyUse {
  readonly flag: GbcsFlag;
  readonly counter: Uint8Array;
  readonly originator: SystemTitle;
  readonly recipient: SystemTitle;
}

/**
 * The key that two parties have for one message: agreed of their static keys.
 *
 * @throws DlmsError `authentication-failed` for a public key that is no point of the curve
 */
export function gbcsKey<Key>(
  platform: Pick<SecurityPlatform<Key>, "curves" | "hashes" | "importKey">,
  keys: { readonly agreement: Key; readonly otherAgreement: Uint8Array },
  { flag, counter, originator, recipient }: GbcsKeyUse,
): Key {
  const z = platform.curves.agree(curveOf(SUITE), keys.agreement, keys.otherAgreement);
  if (z === undefined) throw new DlmsError("authentication-failed", "the public key is no point of the curve");
  const transactionId = concatBytes(Uint8Array.of(GBCS_FLAGS[flag]), counter);
  const partyU = staticPartyInfo(originator, transactionId);
  const octets = deriveKey(platform.hashes, SUITE, GBCS_SECURITY, { z, partyU, partyV: recipient });
  const key = platform.importKey(octets);
  octets.fill(0);
  return key;
}

/**
 * Verifies the MAC of a message: a tag over the signed APDU, which GBCS makes without an authentication key.
 *
 * @param agreement the private key agreement key of one party, and the public one of the other. A command's MAC is made
 *   by the access control broker, with its own key in place of the originator's.
 * @throws DlmsError `authentication-failed`; `protection-mismatch` for a message without a MAC
 */
export function verifyGbcsMac<Key>(
  platform: Pick<SecurityPlatform<Key>, "ciphers" | "curves" | "hashes" | "importKey">,
  agreement: { readonly agreement: Key; readonly otherAgreement: Uint8Array },
  message: GbcsMessage,
): void {
  if (message.authenticated === undefined) throw new DlmsError("protection-mismatch", "the message has no MAC");
  const keys = { encryption: gbcsKey(platform, agreement, message), authentication: new Uint8Array(0) };
  const context = { originator: message.originator, associated: generalHeaderOctets(NO_HEADER) };
  const { tag, counter } = unprotectContent(platform.ciphers, keys, context, message.authenticated);
  // The vector is what the counter says, and the counter of GBCS is always 0.
  if (tag !== "verified" || counter !== 0)
    throw new DlmsError("authentication-failed", "the message says that it has no MAC, or counts it");
}

// Other information: message code (2), then where they are needed a supplementary remote party (8), its counter (8) and
// the originator's counter for that party (8). Some messages put a certificate after the second of these.
const PARTY_AT = 2;
const COUNTER_AT = 18;
const WITH_COUNTER_BYTES = 26;

function dataRecipientOf(otherInformation: Uint8Array): GbcsMessage["dataRecipient"] {
  const title = otherInformation.subarray(PARTY_AT, PARTY_AT + 8);
  if (title.length < 8) return undefined;
  const withCounter = otherInformation.length === WITH_COUNTER_BYTES;
  return { title: systemTitle(title), counter: withCounter ? otherInformation.subarray(COUNTER_AT) : undefined };
}

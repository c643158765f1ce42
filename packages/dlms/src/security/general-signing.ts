import { concatBytes, NO_BYTES } from "../bytes.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { DlmsError } from "../errors.ts";
import {
  type GeneralHeader,
  generalHeaderOctets,
  type ReceivedGeneralHeader,
  readGeneralHeader,
} from "./general-header.ts";
import { curveOf } from "./message-key.ts";
import type { Curves } from "./ports.ts";
import type { SecurityProfile } from "./profile.ts";
import { SECURITY_SUITES, type SecuritySuiteId } from "./suites.ts";
import { GENERAL_TAGS } from "./tags.ts";

/** A general-signing APDU: octets are views of the input. */
export interface SignedApdu {
  readonly header: ReceivedGeneralHeader;
  /** The APDU that was signed: plain, or ciphered. */
  readonly content: Uint8Array;
  /** Empty where none was put in: a command before its signer has seen it (GBCS). */
  readonly signature: Uint8Array;
  /** From the first octet after the tag to the end of the content. */
  readonly octets: Uint8Array;
}

/** What it takes to sign and verify. */
export interface Signing<Key> {
  readonly curves: Pick<Curves<Key>, "sign" | "verify">;
  readonly suite: SecuritySuiteId;
  readonly profile: Pick<SecurityProfile, "signedContentLength">;
}

/**
 * Reads general-signing.
 *
 * @param options.mayBeUnsigned accepts an APDU that ends with its content: one that its signer has not seen yet
 * @throws DecodeError
 */
export function parseGeneralSigning(apdu: Uint8Array, options?: { readonly mayBeUnsigned?: boolean }): SignedApdu {
  const r = new Reader(apdu);
  const tag = r.unsigned8();
  if (tag !== GENERAL_TAGS.generalSigning)
    r.fail("unknown-tag", `0x${tag.toString(16)} where general-signing begins with 0xdf`, 0);
  const header = readGeneralHeader(r);
  const content = r.octets(r.length());
  const octets = apdu.subarray(1, r.offset);
  const unsigned = options?.mayBeUnsigned === true && r.remaining === 0;
  const signature = unsigned ? NO_BYTES : r.octets(r.length());
  if (r.remaining > 0) r.fail("trailing-bytes", `${r.remaining} octets after the APDU`);
  return { header, content, signature, octets };
}

/** Signs an APDU (Green Book 9.2.7.2.5). What is to be ciphered as well is signed first. */
export function signApdu<Key>(
  signing: Signing<Key>,
  signingKey: Key,
  header: GeneralHeader,
  content: Uint8Array,
): Uint8Array {
  const w = new Writer(content.length + 160);
  w.unsigned8(GENERAL_TAGS.generalSigning);
  const fields = generalHeaderOctets(header);
  w.octets(fields);
  w.lengthAndOctets(content);
  const whole = w.finish();
  const signed = signing.profile.signedContentLength ? whole.subarray(1) : concatBytes(fields, content);
  const signature = signing.curves.sign(curveOf(signing.suite), signingKey, signed);
  const end = new Writer(whole.length + signature.length + 2);
  end.octets(whole);
  end.lengthAndOctets(signature);
  return end.finish();
}

/**
 * Verifies a signature and gives what was signed.
 *
 * @param publicKey of the originator that the header names, from a certificate that was checked
 * @throws DlmsError `authentication-failed`
 */
export function verifySignedApdu<Key>(signing: Signing<Key>, publicKey: Uint8Array, apdu: SignedApdu): Uint8Array {
  const { header, content, octets, signature } = apdu;
  const signed = signing.profile.signedContentLength ? octets : concatBytes(header.octets, content);
  const { signatureBytes } = SECURITY_SUITES[signing.suite];
  const holds =
    signature.length === signatureBytes && signing.curves.verify(curveOf(signing.suite), publicKey, signed, signature);
  if (!holds) throw new DlmsError("authentication-failed", "the signature does not hold");
  return content;
}

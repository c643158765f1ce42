import { equalBytes } from "../bytes.ts";
import { Reader } from "../codec/reader.ts";
import { lengthOctets, writeLength } from "../codec/writer.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { contentLength, type ProtectionKeys, type Unprotected, unprotectContent, writeContent } from "./content.ts";
import type { SecurityControl } from "./control.ts";
import type { Ciphers } from "./ports.ts";
import { GENERAL_TAGS, type ProtectionForm, plainTagOf, protectedTag, protectionFormOf } from "./tags.ts";

/** A protected APDU, not yet opened: octets are views of the input. */
export interface ProtectedApdu {
  readonly form: ProtectionForm;
  /** Who protected it, in the general forms; undefined when the field is empty or the form has none. */
  readonly originator: SystemTitle | undefined;
  /** The tag that the plain APDU must have, in the service-specific forms. */
  readonly plainTag: number | undefined;
  /** Security control, counter, text, tag. */
  readonly content: Uint8Array;
}

/**
 * Reads the envelope of a protected APDU (glo-, ded-, general-glo-, general-ded-ciphering).
 *
 * @throws DecodeError `unknown-tag` when the APDU is not one of them
 */
export function readProtectedApdu(r: Reader): ProtectedApdu {
  const at = r.offset;
  const tag = r.unsigned8();
  const form = protectionFormOf(tag);
  switch (form) {
    case "general-global":
    case "general-dedicated": {
      const titleAt = r.offset;
      const title = r.octets(r.length());
      if (title.length !== 0 && title.length !== 8)
        throw new DecodeError("wrong-length", titleAt, `system title of ${title.length} octets`).within("systemTitle");
      const originator = title.length === 0 ? undefined : systemTitle(title);
      return { form, originator, plainTag: undefined, content: r.octets(r.length()) };
    }
    case "global":
    case "dedicated":
      return { form, originator: undefined, plainTag: plainTagOf(tag)!.plain, content: r.octets(r.length()) };
    default:
      return r.fail("unknown-tag", `0x${tag.toString(16)} is not a ciphered APDU that is supported`, at);
  }
}

/** `readProtectedApdu` on octets that hold one APDU and nothing else. */
export function parseProtectedApdu(apdu: Uint8Array): ProtectedApdu {
  const r = new Reader(apdu);
  const parsed = readProtectedApdu(r);
  if (r.remaining > 0) r.fail("trailing-bytes", `${r.remaining} octets after the APDU`);
  return parsed;
}

/**
 * Protects a plain APDU in the given form.
 *
 * @throws DlmsError `protection-mismatch` when the APDU has no tag in a service-specific form (data-notification, ACCESS)
 */
export function protectApdu<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  header: {
    readonly form: ProtectionForm;
    readonly control: SecurityControl;
    readonly originator: SystemTitle;
    readonly counter: number;
  },
  plain: Uint8Array,
): Uint8Array {
  const { form, originator } = header;
  const named = form === "general-global" || form === "general-dedicated";
  const length = contentLength(header.control, plain);
  const lengthAt = named ? 2 + originator.length : 1;
  const contentAt = lengthAt + lengthOctets(length);
  const apdu = new Uint8Array(contentAt + length);
  if (named) {
    apdu[0] = form === "general-global" ? GENERAL_TAGS.generalGlobal : GENERAL_TAGS.generalDedicated;
    apdu[1] = originator.length;
    apdu.set(originator, 2);
  } else {
    const tag = protectedTag(plain[0] ?? -1, form);
    if (tag === undefined)
      throw new DlmsError("protection-mismatch", `APDU 0x${(plain[0] ?? 0).toString(16)} needs a general-* form`);
    apdu[0] = tag;
  }
  writeLength(apdu, lengthAt, length);
  writeContent(ciphers, keys, header, plain, apdu, contentAt);
  return apdu;
}

/**
 * Opens a parsed APDU.
 *
 * @param originator who protected it, where the envelope does not say; where both do they must agree
 * @throws what `unprotectContent` throws; DlmsError `protection-mismatch` when the originator is unknown or another one,
 *   or when what comes out is not the service that the tag promised
 */
export function unprotectApdu<Key>(
  ciphers: Ciphers<Key>,
  keys: ProtectionKeys<Key>,
  parsed: ProtectedApdu,
  originator?: SystemTitle,
  options?: { readonly unverified?: boolean },
): Unprotected {
  const named = parsed.originator;
  const title = named ?? originator;
  if (title === undefined) throw new DlmsError("protection-mismatch", "the originator's system title is not known");
  if (named !== undefined && originator !== undefined && !equalBytes(named, originator))
    throw new DlmsError("protection-mismatch", "the APDU names another originator");
  const opened = unprotectContent(ciphers, keys, { originator: title }, parsed.content, options);
  if (parsed.plainTag !== undefined && opened.plain[0] !== parsed.plainTag)
    throw new DlmsError(
      "protection-mismatch",
      "the plain APDU is not the service that the tag of the ciphered one says",
    );
  return opened;
}

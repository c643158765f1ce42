import { equalBytes } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { SystemTitle } from "../system-title.ts";
import type { ProtectionFacts, ProtectionKeys } from "./content.ts";
import { parseProtectedApdu, unprotectApdu } from "./envelope.ts";
import { openGeneralCiphering, parseGeneralCiphering } from "./general-ciphering.ts";
import type { GeneralHeader, ReceivedGeneralHeader } from "./general-header.ts";
import { parseGeneralSigning, signApdu, verifySignedApdu } from "./general-signing.ts";
import type { KeySource } from "./key-info.ts";
import type { GeneralSetup } from "./message-key.ts";
import type { Ciphers } from "./ports.ts";
import { type ProtectionForm, protectionFormOf } from "./tags.ts";

/** Every way in which an APDU can be ciphered. */
export type CipheringForm = ProtectionForm | "general-ciphering";

/** What it takes to open APDUs of one partner. */
export interface LayerKeys<Key> {
  readonly ciphers: Ciphers<Key>;
  /** The keys of a form. @throws when there are none */
  keysFor(form: ProtectionForm): ProtectionKeys<Key>;
  /** Needed for general-ciphering and general-signing; a function where keys have to be looked up, called for such APDUs alone. */
  readonly general?: GeneralSetup<Key> | (() => GeneralSetup<Key>) | undefined;
}

/** The partner and this side, as far as they are known. */
export interface LayerParties {
  /** An APDU that names another originator is refused; undefined takes the one that the APDU names. */
  readonly originator: SystemTitle | undefined;
  /** An APDU that names another recipient is refused. */
  readonly recipient?: SystemTitle | undefined;
}

/** The ciphering of an opened APDU. */
export interface CipheringFacts extends ProtectionFacts {
  readonly form: CipheringForm;
  /** In general-ciphering: whose key it was. */
  readonly source?: KeySource;
}

/** An APDU as it came out of all its layers. */
export interface OpenedApdu {
  readonly plain: Uint8Array;
  /** Undefined when the APDU was not ciphered. */
  readonly ciphering: CipheringFacts | undefined;
  /** The signature held, and it is the partner's. */
  readonly signed: boolean;
  /** Of general-ciphering, or of general-signing where the former has none. */
  readonly transactionId: Uint8Array | undefined;
}

/**
 * Opens an APDU: ciphered, signed, or both in either order. Each layer may come once; the plain APDU is given only after
 * every layer has held.
 *
 * @throws DlmsError `protection-mismatch` for a layer that repeats or names somebody else; what the layers throw
 */
export function openLayers<Key>(keys: LayerKeys<Key>, parties: LayerParties, apdu: Uint8Array): OpenedApdu {
  let plain = apdu;
  let ciphering: CipheringFacts | undefined;
  let signature: ReceivedGeneralHeader | undefined;
  let cipheringId: Uint8Array | undefined;
  for (;;) {
    const form = protectionFormOf(plain[0] ?? -1);
    if (form === undefined) break;
    if (form === "general-signing") {
      if (signature !== undefined) throw new DlmsError("protection-mismatch", "the APDU is signed twice");
      const signed = parseGeneralSigning(plain);
      signature = signed.header;
      plain = verify(keys, parties, signed);
      continue;
    }
    if (ciphering !== undefined) throw new DlmsError("protection-mismatch", "the APDU is ciphered twice");
    if (form === "general-ciphering") {
      const parsed = parseGeneralCiphering(plain);
      requireParties(parties, parsed.header);
      const { plain: inside, header, ...facts } = openGeneralCiphering(generalOf(keys), parsed);
      plain = inside;
      ciphering = { ...facts, form };
      cipheringId = header.transactionId;
      continue;
    }
    const parsed = parseProtectedApdu(plain);
    const opened = unprotectApdu(keys.ciphers, keys.keysFor(form), parsed, parties.originator);
    plain = opened.plain;
    ciphering = { form, control: opened.control, counter: opened.counter, tag: opened.tag };
  }
  const transactionId = cipheringId !== undefined && cipheringId.length > 0 ? cipheringId : signature?.transactionId;
  return { plain, ciphering, signed: signature !== undefined, transactionId };
}

/** Signs a plain APDU in a setup. @throws DlmsError `key-missing` */
export function signLayer<Key>(setup: GeneralSetup<Key>, header: GeneralHeader, plain: Uint8Array): Uint8Array {
  const { platform, suite, profile, keys } = setup;
  if (keys.signing === undefined) throw new DlmsError("key-missing", "this side's signing key is not known");
  return signApdu({ curves: platform.curves, suite, profile }, keys.signing, header, plain);
}

function verify<Key>(
  keys: LayerKeys<Key>,
  parties: LayerParties,
  signed: ReturnType<typeof parseGeneralSigning>,
): Uint8Array {
  requireParties(parties, signed.header);
  const { platform, suite, profile, keys: general } = generalOf(keys);
  if (general.otherSigning === undefined)
    throw new DlmsError("key-missing", "the other side's signing key is not known");
  return verifySignedApdu({ curves: platform.curves, suite, profile }, general.otherSigning, signed);
}

function requireParties({ originator, recipient }: LayerParties, header: ReceivedGeneralHeader): void {
  if (header.originator === undefined)
    throw new DlmsError("protection-mismatch", "the originator's system title is missing");
  if (originator !== undefined && !equalBytes(header.originator, originator))
    throw new DlmsError("protection-mismatch", "the APDU names another originator");
  if (header.recipient !== undefined && recipient !== undefined && !equalBytes(header.recipient, recipient))
    throw new DlmsError("protection-mismatch", "the APDU is meant for another recipient");
}

function generalOf<Key>({ general }: LayerKeys<Key>): GeneralSetup<Key> {
  if (general === undefined)
    throw new DlmsError("key-missing", "general-ciphering and general-signing were not set up here");
  return typeof general === "function" ? general() : general;
}

import { c } from "../codec/c.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { DlmsError } from "../errors.ts";
import type { SystemTitle } from "../system-title.ts";
import {
  type ContentContext,
  protectContent,
  readContentHeader,
  type Unprotected,
  unprotectContent,
} from "./content.ts";
import type { SecurityControl } from "./control.ts";
import {
  type GeneralHeader,
  generalHeaderOctets,
  type ReceivedGeneralHeader,
  readGeneralHeader,
} from "./general-header.ts";
import { type KeyInfo, type KeySource, keyInfo } from "./key-info.ts";
import { type GeneralSetup, messageKeyFor, messageKeyIn } from "./message-key.ts";
import { GENERAL_TAGS } from "./tags.ts";

/** A general-ciphering APDU, not yet opened: octets are views of the input. */
export interface GeneralCipheredApdu {
  readonly header: ReceivedGeneralHeader;
  readonly keyInfo: KeyInfo | undefined;
  /** Security control, counter, text, tag. */
  readonly content: Uint8Array;
}

/** What came out of a general-ciphering APDU. */
export interface UnprotectedGeneral extends Unprotected {
  readonly header: GeneralHeader;
  readonly source: KeySource;
}

const optionalKeyInfo = c.optional(keyInfo);

/** Reads general-ciphering. @throws DecodeError */
export function parseGeneralCiphering(apdu: Uint8Array): GeneralCipheredApdu {
  const r = new Reader(apdu);
  const tag = r.unsigned8();
  if (tag !== GENERAL_TAGS.generalCiphering)
    r.fail("unknown-tag", `0x${tag.toString(16)} where general-ciphering begins with 0xdd`, 0);
  const header = readGeneralHeader(r);
  const info = optionalKeyInfo.decode(r);
  const content = r.octets(r.length());
  if (r.remaining > 0) r.fail("trailing-bytes", `${r.remaining} octets after the APDU`);
  return { header, keyInfo: info, content };
}

/**
 * Protects an APDU, plain or signed, by general-ciphering (Green Book 9.2.7.2.4.6).
 *
 * The tag covers the header, but not key-info: what is said there shows when the key does not fit.
 *
 * @param header.counter never used before under this key
 * @throws what `protectContent` and `messageKeyFor` throw
 */
export function sealGeneralCiphering<Key>(
  setup: GeneralSetup<Key>,
  header: GeneralHeader & {
    readonly control: SecurityControl;
    readonly counter: number;
    /** `undefined` leaves key-info out: the recipient knows that the unicast key is meant. */
    readonly source: KeySource | undefined;
  },
  plain: Uint8Array,
): Uint8Array {
  const { control, counter, originator, source } = header;
  requireUnicastSet(control);
  if (originator === undefined) throw new DlmsError("invalid-value", "general-ciphering names its originator");
  const { info, keys, source: used } = messageKeyFor(setup, source ?? "unicast", header);
  const fields = generalHeaderOctets(header);
  const context = { control, counter, ...contextOf(setup, originator, fields, used) };
  const content = protectContent(setup.platform.ciphers, keys, context, plain);
  const w = new Writer(fields.length + content.length + 160);
  w.unsigned8(GENERAL_TAGS.generalCiphering);
  w.octets(fields);
  optionalKeyInfo.encode(w, source === undefined ? undefined : info);
  w.length(content.length);
  w.octets(content);
  return w.finish();
}

/**
 * Opens a general-ciphering APDU.
 *
 * Whether it was meant for this side, from the one expected, and is new, is for the caller to judge.
 *
 * @throws what `unprotectContent` and `messageKeyIn` throw; DlmsError `protection-mismatch` when the originator is missing
 */
export function openGeneralCiphering<Key>(setup: GeneralSetup<Key>, apdu: GeneralCipheredApdu): UnprotectedGeneral {
  const { header, content } = apdu;
  const { originator, octets } = header;
  if (originator === undefined) throw new DlmsError("protection-mismatch", "general-ciphering names its originator");
  // Before any key is worked with: these need none to be refused.
  const { control } = readContentHeader(content);
  if (control.compressed) throw new DlmsError("compression-unsupported", "compressed APDUs are not supported");
  requireUnicastSet(control);
  const { keys, source } = messageKeyIn(setup, apdu.keyInfo, header);
  const context = contextOf(setup, originator, octets, source);
  return { ...unprotectContent(setup.platform.ciphers, keys, context, content), header, source };
}

function contextOf<Key>(
  { profile }: GeneralSetup<Key>,
  originator: SystemTitle,
  fields: Uint8Array,
  source: KeySource,
): ContentContext {
  const agreed = source === "one-pass" || source === "static";
  return {
    originator,
    associated: profile.authenticatedHeader ? fields : undefined,
    vectorCounter: agreed && profile.agreedKeyCounter === "zero" ? 0 : undefined,
  };
}

/** Key-info says which key it is; the key-set bit has no meaning here and must be 0. */
function requireUnicastSet({ broadcast }: SecurityControl): void {
  if (broadcast) throw new DlmsError("protection-mismatch", "the key-set bit is set in general-ciphering");
}

import { concatBytes, NO_BYTES } from "../bytes.ts";
import { decode, encode, type Infer } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { d } from "../data/d.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { type ContentContext, protectContent, unprotectContent } from "./content.ts";
import { securityControl } from "./control.ts";
import type { GeneralHeader } from "./general-header.ts";
import type { KeyInfo, KeySource } from "./key-info.ts";
import { curveOf, type GeneralSetup, keySourceOf, messageKeyFor, messageKeyIn } from "./message-key.ts";
import { SECURITY_SUITES } from "./suites.ts";

const keyInfoData = d.structure({
  keyInfoType: d.enumeration({ "identified-key": 0, "wrapped-key": 1, "agreed-key": 2 }),
  keyInfoOptions: d.any,
});

/** protection_options: the header of the protection and how its key is found. */
export const protectionOptions = d.structure({
  transactionId: d.octetString,
  originatorSystemTitle: d.octetString,
  recipientSystemTitle: d.octetString,
  otherInformation: d.octetString,
  keyInfo: keyInfoData,
});

/** protection_parameters: one element a layer, the first applied first (Blue Book, class 30). */
export const protectionParameters = d.array(
  d.structure({
    protectionType: d.enumeration({
      authentication: 0,
      encryption: 1,
      "authentication-encryption": 2,
      "digital-signature": 3,
    }),
    protectionOptions,
  }),
  { max: 4 },
);
export type ProtectionParameters = Infer<typeof protectionParameters>;
type Layer = ProtectionParameters[number];
export type DataProtectionType = Layer["protectionType"];

/**
 * How a layer is computed:
 *
 * - `gbcs`: proven against Great Britain's published test messages. The tag covers the security control alone.
 * - `standard`: the rule of general-ciphering with the fields that protection_options has. UNPROVEN: no published
 *   vector or peer exists to check it against.
 */
export type DataProtectionForm = "standard" | "gbcs";

/** A layer to be put on. */
export interface LayerWanted {
  readonly type: DataProtectionType;
  readonly source: KeySource;
  readonly transactionId: Uint8Array;
  readonly originator: SystemTitle;
  readonly recipient: SystemTitle;
  readonly otherInformation?: Uint8Array;
  /** Never used before under this key. In the GBCS form the vector has the counter 0, since each key serves once. */
  readonly counter: number;
}

/** Protected data and what the other side needs to take the protection off. */
export interface ProtectedData {
  readonly parameters: ProtectionParameters;
  readonly octets: Uint8Array;
}

/**
 * Protects data with one layer after the other.
 *
 * @throws DlmsError `key-missing`, `invalid-value`, `out-of-range`
 */
export function protectData<Key>(
  setup: GeneralSetup<Key>,
  layers: readonly LayerWanted[],
  plain: Uint8Array,
): ProtectedData {
  let octets = plain;
  const parameters: Layer[] = [];
  for (const layer of layers) {
    const header = { ...layer, dateTime: NO_BYTES, otherInformation: layer.otherInformation ?? NO_BYTES };
    const made = putOn(setup, layer, header, octets);
    octets = made.octets;
    parameters.push({
      protectionType: layer.type,
      protectionOptions: {
        transactionId: layer.transactionId,
        originatorSystemTitle: layer.originator,
        recipientSystemTitle: layer.recipient,
        otherInformation: header.otherInformation,
        keyInfo: keyInfoOut(made.info),
      },
    });
  }
  return { parameters, octets };
}

/** A layer that was taken off. */
export interface LayerRemoved {
  readonly type: DataProtectionType;
  readonly source: KeySource;
  readonly header: GeneralHeader;
  /** Undefined for a signature, which has none. */
  readonly counter: number | undefined;
}

/**
 * Verifies and deciphers, the last layer first. Who protected it, for whom, and whether it is new, is for the caller to
 * judge by the layers.
 *
 * @throws DlmsError `authentication-failed`, `key-missing`; DecodeError
 */
export function unprotectData<Key>(
  setup: GeneralSetup<Key>,
  { parameters, octets }: ProtectedData,
): { readonly plain: Uint8Array; readonly layers: readonly LayerRemoved[] } {
  let plain = octets;
  const layers: LayerRemoved[] = [];
  for (const layer of parameters.toReversed()) {
    const header = headerOf(layer);
    const { content, ...facts } = takeOff(setup, layer, header, plain);
    plain = content;
    layers.push({ type: layer.protectionType, header, ...facts });
  }
  return { plain, layers };
}

function putOn<Key>(
  setup: GeneralSetup<Key>,
  { type, source, counter, originator }: LayerWanted,
  header: GeneralHeader,
  octets: Uint8Array,
): { readonly octets: Uint8Array; readonly info: KeyInfo | undefined } {
  const { platform, suite, keys } = setup;
  if (type === "digital-signature") {
    if (keys.signing === undefined) throw new DlmsError("key-missing", "this side's signing key is not known");
    const signature = platform.curves.sign(curveOf(suite), keys.signing, signedOctets(header, octets));
    return { octets: concatBytes(octets, signature), info: messageKeyFor(setup, "unicast", header).info };
  }
  const key = messageKeyFor(setup, source, header);
  const control = securityControl({
    suite,
    authenticated: type !== "encryption",
    encrypted: type !== "authentication",
  });
  const context = { control, counter: formCounter(setup, counter), ...contextOf(setup, originator, header) };
  return { octets: protectContent(platform.ciphers, layerKeys(setup, key.keys), context, octets), info: key.info };
}

function takeOff<Key>(
  setup: GeneralSetup<Key>,
  { protectionType, protectionOptions: { keyInfo } }: Layer,
  header: GeneralHeader,
  octets: Uint8Array,
): { readonly content: Uint8Array; readonly source: KeySource; readonly counter: number | undefined } {
  const { platform, suite, keys } = setup;
  if (protectionType === "digital-signature") {
    const { signatureBytes } = SECURITY_SUITES[suite];
    if (keys.otherSigning === undefined)
      throw new DlmsError("key-missing", "the other side's signing key is not known");
    const contentBytes = octets.length - signatureBytes;
    if (contentBytes < 0) throw new DecodeError("truncated", octets.length, "no room for the signature");
    const content = octets.subarray(0, contentBytes);
    const signature = octets.subarray(contentBytes);
    if (!platform.curves.verify(curveOf(suite), keys.otherSigning, signedOctets(header, content), signature))
      throw new DlmsError("authentication-failed", "the signature of the data does not hold");
    return { content, source: "unicast", counter: undefined };
  }
  const key = messageKeyIn(setup, keyInfoIn(keyInfo), header);
  const context = contextOf(setup, header.originator as SystemTitle, header);
  const opened = unprotectContent(platform.ciphers, layerKeys(setup, key.keys), context, octets);
  const { authenticated, encrypted, broadcast } = opened.control;
  const asSaid =
    authenticated === (protectionType !== "encryption") &&
    encrypted === (protectionType !== "authentication") &&
    !broadcast;
  if (!asSaid) throw new DlmsError("protection-mismatch", "the data is not protected as its parameters say");
  // Nothing covers it there: another number would be somebody's who changed it.
  if (setup.profile.dataProtection === "gbcs" && opened.counter !== 0)
    throw new DlmsError("protection-mismatch", "the counter of data is 0 in GBCS");
  return { content: opened.plain, source: key.source, counter: opened.counter };
}

function contextOf<Key>(
  { profile }: GeneralSetup<Key>,
  originator: SystemTitle,
  header: GeneralHeader,
): ContentContext {
  if (profile.dataProtection === "gbcs") return { originator, vectorCounter: 0 };
  return { originator, associated: headerOctets(header) };
}

/** GBCS knows no authentication key. */
function layerKeys<Key, Keys extends { readonly encryption: Key; readonly authentication?: Uint8Array | undefined }>(
  { profile }: GeneralSetup<Key>,
  keys: Keys,
) {
  return profile.dataProtection === "gbcs" ? { encryption: keys.encryption, authentication: NO_BYTES } : keys;
}

function formCounter<Key>({ profile }: GeneralSetup<Key>, counter: number): number {
  return profile.dataProtection === "gbcs" ? 0 : counter;
}

function signedOctets(header: GeneralHeader, content: Uint8Array): Uint8Array {
  return concatBytes(headerOctets(header), content);
}

/** protection_options have no date-time: four fields, each with its length. */
function headerOctets({ transactionId, originator, recipient, otherInformation }: GeneralHeader): Uint8Array {
  const w = new Writer(64);
  for (const field of [transactionId, originator, recipient, otherInformation]) w.lengthAndOctets(field ?? NO_BYTES);
  return w.finish();
}

function headerOf({ protectionOptions: options }: Layer): GeneralHeader {
  return {
    transactionId: options.transactionId,
    originator: systemTitle(options.originatorSystemTitle),
    recipient: systemTitle(options.recipientSystemTitle),
    dateTime: NO_BYTES,
    otherInformation: options.otherInformation,
  };
}

/** Where the key of a layer comes from, as its parameters say. @throws DecodeError, DlmsError `unknown-value` */
export function protectionSource(keyInfo: Infer<typeof keyInfoData>): KeySource {
  return keySourceOf(keyInfoIn(keyInfo));
}

const wrappedOptions = d.structure({ kekId: d.enumeration({ "master-key": 0 }), keyCipheredData: d.octetString });
const agreedOptions = d.structure({ keyParameters: d.octetString, keyCipheredData: d.octetString });
const identifiedOptions = d.enumeration({ "global-unicast": 0, "global-broadcast": 1 });

function keyInfoOut(info: KeyInfo | undefined): Infer<typeof keyInfoData> {
  if (info === undefined) throw new DlmsError("invalid-value", "protection_options always say which key is meant");
  const options =
    info.kind === "identified-key"
      ? encode(identifiedOptions, info.value.keyId)
      : info.kind === "wrapped-key"
        ? encode(wrappedOptions, info.value)
        : encode(agreedOptions, info.value);
  return { keyInfoType: info.kind, keyInfoOptions: decode(d.any, options) };
}

function keyInfoIn({ keyInfoType, keyInfoOptions }: Infer<typeof keyInfoData>): KeyInfo {
  const options = encode(d.any, keyInfoOptions);
  switch (keyInfoType) {
    case "identified-key":
      return { kind: keyInfoType, value: { keyId: decode(identifiedOptions, options) } };
    case "wrapped-key":
      return { kind: keyInfoType, value: decode(wrappedOptions, options) };
    case "agreed-key":
      return { kind: keyInfoType, value: decode(agreedOptions, options) };
    default:
      return keyInfoType satisfies never;
  }
}

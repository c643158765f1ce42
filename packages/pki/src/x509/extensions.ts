import { type Codec, decode, encode, type Infer } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import type { Asn1 } from "../asn1/element.ts";
import { OID } from "./identifiers.ts";
import { name } from "./name.ts";

/** One extension as it stands in a certificate: its value is octets until somebody knows the identifier. */
export const extension = asn1.sequence("extension", {
  id: asn1.objectIdentifier,
  critical: asn1.withDefault(asn1.boolean, false),
  value: asn1.octetString,
});
export type Extension = Infer<typeof extension>;
export const extensions = asn1.sequenceOf(extension, { min: 1, max: 32 });

/** keyUsage by bit number (RFC 5280 clause 4.2.1.3). */
export const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** hardwareModuleName (RFC 4108): the type of the device and, as its serial, the system title. */
const hardwareModuleName = asn1.sequence("hardwareModuleName", {
  hwType: asn1.objectIdentifier,
  hwSerialNum: asn1.octetString,
});

const otherName = asn1.sequence("otherName", { type: asn1.objectIdentifier, value: asn1.explicit(0, asn1.any) }, 0xa0);

/** The forms of GeneralName that certificates of metering have. */
const generalName = asn1.oneOf<GeneralName>(
  "a general name",
  [
    variant("otherName", otherName),
    variant("dNSName", asn1.implicit(2, asn1.ia5String)),
    variant("uniformResourceIdentifier", asn1.implicit(6, asn1.ia5String)),
    variant("iPAddress", asn1.implicit(7, asn1.octetString)),
    variant("directoryName", asn1.explicit(4, name)),
    variant("rfc822Name", asn1.implicit(1, asn1.ia5String)),
  ],
  ({ kind }) => GENERAL_NAME_KINDS.indexOf(kind),
);
const GENERAL_NAME_KINDS = [
  "otherName",
  "dNSName",
  "uniformResourceIdentifier",
  "iPAddress",
  "directoryName",
  "rfc822Name",
] as const;
export type GeneralName =
  | { readonly kind: "otherName"; readonly value: Infer<typeof otherName> }
  | { readonly kind: "dNSName" | "uniformResourceIdentifier" | "rfc822Name"; readonly value: string }
  | { readonly kind: "iPAddress"; readonly value: Uint8Array }
  | { readonly kind: "directoryName"; readonly value: Infer<typeof name> };
export const generalNames = asn1.sequenceOf(generalName, { min: 1, max: 64 });

function variant<T>(kind: GeneralName["kind"], of: Asn1<T>): Asn1<GeneralName> {
  return asn1.map(kind, of, {
    decode: (value) => ({ kind, value }) as GeneralName,
    encode: (general) => general.value as T,
  });
}

const distributionPointName = asn1.sequence(
  "distributionPointName",
  { fullName: asn1.implicit(0, generalNames) },
  0xa0,
);

/** One place where a revocation list lies. */
const distributionPoint = asn1.sequence("distributionPoint", { name: asn1.optional(distributionPointName) });

/** A policy by its identifier; qualifiers are kept as they are and never read. */
const policy = asn1.sequence("policy", { id: asn1.objectIdentifier, qualifiers: asn1.optional(asn1.any) });

const accessDescription = asn1.sequence("accessDescription", { method: asn1.objectIdentifier, location: generalName });

/** An extension that is understood. */
export interface KnownExtension<T> {
  readonly id: string;
  readonly codec: Codec<T>;
}

function known<T>(id: string, codec: Codec<T>): KnownExtension<T> {
  return { id, codec };
}

/** The extensions that are understood, each with the codec of its value. */
export const EXTENSIONS = {
  basicConstraints: known(
    OID.basicConstraints,
    asn1.sequence("basicConstraints", {
      isAuthority: asn1.withDefault(asn1.boolean, false),
      pathLength: asn1.optional(asn1.smallInteger),
    }),
  ),
  keyUsage: known(OID.keyUsage, asn1.namedBits(KEY_USAGES)),
  subjectKeyIdentifier: known(OID.subjectKeyIdentifier, asn1.octetString),
  authorityKeyIdentifier: known(
    OID.authorityKeyIdentifier,
    asn1.sequence("authorityKeyIdentifier", {
      keyIdentifier: asn1.optional(asn1.implicit(0, asn1.octetString)),
      issuer: asn1.optional(asn1.implicit(1, generalNames)),
      serial: asn1.optional(asn1.implicit(2, asn1.positiveInteger(20))),
    }),
  ),
  subjectAltName: known(OID.subjectAltName, generalNames),
  issuerAltName: known(OID.issuerAltName, generalNames),
  certificatePolicies: known(OID.certificatePolicies, asn1.sequenceOf(policy, { min: 1, max: 16 })),
  extendedKeyUsage: known(OID.extendedKeyUsage, asn1.sequenceOf(asn1.objectIdentifier, { min: 1, max: 16 })),
  crlDistributionPoints: known(OID.crlDistributionPoints, asn1.sequenceOf(distributionPoint, { min: 1, max: 16 })),
  authorityInfoAccess: known(OID.authorityInfoAccess, asn1.sequenceOf(accessDescription, { min: 1, max: 16 })),
} as const;

/** Makes an extension from its value. */
export function makeExtension<T>({ id, codec }: KnownExtension<T>, critical: boolean, value: T): Extension {
  return { id, critical, value: encode(codec, value) };
}

/** The value of an extension; undefined where it is missing. @throws DecodeError where it is malformed */
export function extensionValue<T>({ id, codec }: KnownExtension<T>, all: readonly Extension[]): T | undefined {
  const found = all.find((one) => one.id === id);
  return found && decode(codec, found.value);
}

/** subjectAltName that names a device (RFC 4108, GBCS 12): `systemTitle` as hwSerialNum. */
export function hardwareModule(hwType: string, systemTitle: Uint8Array): GeneralName {
  const value = encode(hardwareModuleName, { hwType, hwSerialNum: systemTitle });
  return { kind: "otherName", value: { type: OID.hardwareModuleName, value } };
}

/** The device that a subjectAltName names; undefined where it names none. @throws DecodeError where it is malformed */
export function hardwareModuleOf(names: readonly GeneralName[]): Infer<typeof hardwareModuleName> | undefined {
  for (const each of names)
    if (each.kind === "otherName" && each.value.type === OID.hardwareModuleName)
      return decode(hardwareModuleName, each.value.value);
  return undefined;
}

import { decode, encode, type Infer, toHex } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { nameOfIdentifier, OID } from "./identifiers.ts";

/** One attribute of a name: its type and its value, encoded. Names are compared as octets, so the form is kept. */
export interface NameAttribute {
  readonly type: string;
  /** The value with tag and length. */
  readonly value: Uint8Array;
}

const TEXTS = [asn1.utf8String, asn1.printableString, asn1.ia5String];

/** A value as it stands; where its tag says that it is text, it must be. */
const attributeValue = asn1.map("attribute value", asn1.any, {
  decode(octets) {
    const text = TEXTS.find(({ tags }) => tags?.[0] === octets[0]);
    if (text !== undefined) decode(text, octets);
    return octets;
  },
  encode: (octets) => octets,
});

/** Name (RFC 5280 clause 4.1.2.4): one attribute in each relative name, as every profile of metering has it. */
export const name = asn1.sequenceOf(
  asn1.setOfOne(asn1.sequence("attribute", { type: asn1.objectIdentifier, value: attributeValue })),
  { max: 16 },
);
export type Name = Infer<typeof name>;

const SHORT: Readonly<Record<string, string>> = {
  [OID.commonName]: "CN",
  [OID.countryName]: "C",
  [OID.localityName]: "L",
  [OID.organizationName]: "O",
  [OID.organizationalUnitName]: "OU",
};

const UNIQUE_IDENTIFIER = asn1.bitStringOctets;

/** An attribute with text: UTF8String, or PrintableString for the country as RFC 5280 demands. */
export function textAttribute(type: string, text: string): NameAttribute {
  const codec = type === OID.countryName || type === OID.serialNumber ? asn1.printableString : asn1.utf8String;
  return { type, value: encode(codec, text) };
}

/** x500UniqueIdentifier with the octets of an entity (GBCS organisation certificates). */
export function uniqueIdentifier(entity: Uint8Array): NameAttribute {
  return { type: OID.x500UniqueIdentifier, value: encode(UNIQUE_IDENTIFIER, entity) };
}

/** The octets in x500UniqueIdentifier; undefined where the name has none. @throws DecodeError where it is malformed */
export function uniqueIdentifierOf(subject: Name): Uint8Array | undefined {
  const found = subject.find(({ type }) => type === OID.x500UniqueIdentifier);
  return found && decode(UNIQUE_IDENTIFIER, found.value);
}

/** The text of the only attribute of this type; undefined where there is none, or several, or no text. */
export function textOf(subject: Name, type: string): string | undefined {
  const found = subject.filter((attribute) => attribute.type === type);
  return found.length === 1 ? attributeText(found[0]!) : undefined;
}

/** A name for people, most significant last: `CN=4D4B3031…, O=Utility` (RFC 4514 with spaces); `(empty)` without attributes. */
export function nameText(subject: Name): string {
  if (subject.length === 0) return "(empty)";
  return subject
    .map((attribute) => {
      const label = SHORT[attribute.type] ?? nameOfIdentifier(attribute.type);
      return `${label}=${attributeText(attribute) ?? `#${toHex(attribute.value)}`}`;
    })
    .reverse()
    .join(", ");
}

function attributeText({ value }: NameAttribute): string | undefined {
  const text = TEXTS.find(({ tags }) => tags?.[0] === value[0]);
  return text && decode(text, value);
}

import { type Curve, decode, encode } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { OID } from "../x509/identifiers.ts";

const attribute = asn1.sequence("attribute", {
  type: asn1.objectIdentifier,
  values: asn1.sequenceOf(asn1.any, { max: 16 }, 0x31),
});
type Attribute = { readonly type: string; readonly values: readonly Uint8Array[] };

const attrOrOid = asn1.oneOf<string | Attribute>(
  "an attribute or its identifier",
  [
    asn1.map("identifier", asn1.objectIdentifier, {
      decode: (id): string | Attribute => id,
      encode: (id) => id as string,
    }),
    asn1.map("attribute", attribute, { decode: (one): string | Attribute => one, encode: (one) => one as Attribute }),
  ],
  (value) => (typeof value === "string" ? 0 : 1),
);

/** CsrAttrs (RFC 7030 clause 4.5.2). */
const csrAttributes = asn1.sequenceOf(attrOrOid, { max: 64 });

const CURVE_IDS: Readonly<Record<Curve, string>> = { "P-256": OID.secp256r1, "P-384": OID.secp384r1 };
const SIGNATURES: Readonly<Record<Curve, string>> = { "P-256": OID.ecdsaWithSha256, "P-384": OID.ecdsaWithSha384 };

/** What a request for a certificate on a curve has to look like: the kind of key, and how it signs. */
export function csrAttributesFor(curve: Curve): Uint8Array {
  return encode(csrAttributes, [
    { type: OID.idEcPublicKey, values: [encode(asn1.objectIdentifier, CURVE_IDS[curve])] },
    SIGNATURES[curve],
  ]);
}

/** The identifiers that are asked for, attributes among them by their types. @throws DecodeError */
export function askedAttributes(octets: Uint8Array): readonly string[] {
  return decode(csrAttributes, octets).map((one) => (typeof one === "string" ? one : one.type));
}

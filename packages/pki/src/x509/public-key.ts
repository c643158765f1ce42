import { type Curve, DlmsError } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { OID } from "./identifiers.ts";

/** An EC public key on a named curve. */
export interface PublicKey {
  readonly curve: Curve;
  /** x and y, 64 or 96 octets, without the leading 04 of the uncompressed form. Whether they lie on the curve, who verifies with them learns. */
  readonly point: Uint8Array;
}

const CURVES = [
  { curve: "P-256", id: OID.secp256r1, pointBytes: 64 },
  { curve: "P-384", id: OID.secp384r1, pointBytes: 96 },
] as const;

const UNCOMPRESSED = 0x04;

/** ECParameters: a named curve and nothing else. Explicit parameters let whoever made the key choose the arithmetic. */
const algorithm = asn1.sequence("algorithm", { id: asn1.objectIdentifier, namedCurve: asn1.objectIdentifier });
const subjectPublicKeyInfo = asn1.sequence("subjectPublicKeyInfo", { algorithm, key: asn1.bitStringOctets });

/** SubjectPublicKeyInfo of an EC key (RFC 5480): P-256 or P-384, named, uncompressed. Anything else is refused. */
export const publicKey = asn1.map("EC public key", subjectPublicKeyInfo, {
  decode({ algorithm: { id, namedCurve }, key }): PublicKey {
    if (id !== OID.idEcPublicKey) throw new DlmsError("unknown-value", `algorithm ${id} is no EC key`);
    const found = CURVES.find((row) => row.id === namedCurve);
    if (found === undefined) throw new DlmsError("unknown-value", `curve ${namedCurve} is neither P-256 nor P-384`);
    if (key[0] !== UNCOMPRESSED || key.length !== 1 + found.pointBytes)
      throw new DlmsError("wrong-value", "the point is not in its uncompressed form");
    return { curve: found.curve, point: key.subarray(1) };
  },
  encode({ curve, point }: PublicKey) {
    const { id, pointBytes } = CURVES.find((row) => row.curve === curve)!;
    if (point.length !== pointBytes)
      throw new DlmsError("wrong-length", `a point of ${curve} has ${pointBytes} octets`);
    const key = new Uint8Array(1 + pointBytes);
    key[0] = UNCOMPRESSED;
    key.set(point, 1);
    return { algorithm: { id: OID.idEcPublicKey, namedCurve: id }, key };
  },
});

/** The hash that goes with each curve: ECDSA with SHA-256 in suite 1, with SHA-384 in suite 2. */
export type SignatureAlgorithm = "ecdsa-with-SHA256" | "ecdsa-with-SHA384";

export const SIGNATURE_ALGORITHM_OF: Readonly<Record<Curve, SignatureAlgorithm>> = {
  "P-256": "ecdsa-with-SHA256",
  "P-384": "ecdsa-with-SHA384",
};

const ALGORITHM_IDS: Readonly<Record<SignatureAlgorithm, string>> = {
  "ecdsa-with-SHA256": OID.ecdsaWithSha256,
  "ecdsa-with-SHA384": OID.ecdsaWithSha384,
};

const algorithmIdentifier = asn1.sequence("algorithmIdentifier", { id: asn1.objectIdentifier });

/** AlgorithmIdentifier of a signature, without parameters (RFC 5758 clause 3.2). */
export const signatureAlgorithm = asn1.map("signature algorithm", algorithmIdentifier, {
  decode({ id }): SignatureAlgorithm {
    const found = Object.entries(ALGORITHM_IDS).find(([, known]) => known === id);
    if (found === undefined) throw new DlmsError("unknown-value", `signature algorithm ${id} is not used in metering`);
    return found[0] as SignatureAlgorithm;
  },
  encode: (value: SignatureAlgorithm) => ({ id: ALGORITHM_IDS[value] }),
});

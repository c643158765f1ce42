import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { der } from "./der.ts";
import { PkiError } from "./errors.ts";

/** What one end of the custodian's channel proves itself with, and what the other end pins. */
export interface ChannelCredential {
  /** PEM; not a secret. */
  readonly certificate: string;
  /** PKCS#8 PEM; for the eyes of its process only. */
  readonly privateKey: string;
}

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  serverAuthentication: "1.3.6.1.5.5.7.3.1",
  clientAuthentication: "1.3.6.1.5.5.7.3.2",
} as const;

const SERIAL_BYTES = 16;
const DIGITAL_SIGNATURE = Uint8Array.of(0x80);
const NO_EXPIRY = new Date("9999-12-31T23:59:59Z");

/**
 * Makes an EC P-256 key pair and a self-signed certificate for it: one end of a channel whose other end pins exactly
 * this certificate. It does not expire, since trust in it ends by replacing the pin (RFC 5280 4.1.2.5 for the date).
 *
 * @throws PkiError `certificate-request-invalid` for a name that is empty or over 64 characters.
 */
export function createChannelCredential(name: string, now: Date): ChannelCredential {
  if (name.length === 0 || name.length > 64)
    throw new PkiError("certificate-request-invalid", `a common name has 1 to 64 characters, "${name}" has not`);
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  const tbs = tbsCertificate(name, spki, now);
  const signature = sign("sha256", tbs, { key: privateKey, dsaEncoding: "der" });
  const certificate = der.sequence(tbs, signatureAlgorithm(), der.bitString(signature));
  return {
    certificate: pem("CERTIFICATE", certificate),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** TBSCertificate, RFC 5280 4.1. */
function tbsCertificate(name: string, spki: Uint8Array, now: Date): Uint8Array {
  const subject = der.sequence(der.setOf(der.sequence(der.objectIdentifier(OID.commonName), der.utf8String(name))));
  const serial = randomBytes(SERIAL_BYTES);
  // Positive and of full length whatever was drawn.
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  return der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(serial),
    signatureAlgorithm(),
    subject,
    der.sequence(der.time(now), der.time(NO_EXPIRY)),
    subject,
    spki,
    der.explicit(3, extensions(spki)),
  );
}

function extensions(spki: Uint8Array): Uint8Array {
  const keyIdentifier = createHash("sha1").update(publicKeyOctets(spki)).digest();
  return der.sequence(
    extension(OID.basicConstraints, der.sequence(), true),
    extension(OID.keyUsage, der.bitString(DIGITAL_SIGNATURE, 7), true),
    extension(
      OID.extendedKeyUsage,
      der.sequence(der.objectIdentifier(OID.serverAuthentication), der.objectIdentifier(OID.clientAuthentication)),
      false,
    ),
    extension(OID.subjectKeyIdentifier, der.octetString(keyIdentifier), false),
  );
}

function extension(oid: string, value: Uint8Array, critical: boolean): Uint8Array {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.objectIdentifier(oid), ...flag, der.octetString(value));
}

function signatureAlgorithm(): Uint8Array {
  return der.sequence(der.objectIdentifier(OID.ecdsaWithSha256));
}

/** The uncompressed point at the end of a P-256 SPKI: what a subject key identifier is made of (RFC 5280 4.2.1.2). */
function publicKeyOctets(spki: Uint8Array): Uint8Array {
  return spki.subarray(spki.length - 65);
}

function pem(label: string, octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

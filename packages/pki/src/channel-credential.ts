import { createHash, createPrivateKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { der } from "./der.ts";

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** What one end of a channel inside the platform proves itself with. */
export interface ChannelCredential {
  /** PKCS#8, PEM. Belongs in a file that only its process may read. */
  readonly privateKey: string;
  /** Self-signed X.509 v3, PEM. The other end pins it. */
  readonly certificate: string;
}

/**
 * Makes a credential for a channel between two processes of the platform: an EC P-256 key pair and a self-signed
 * certificate for TLS on both sides (RFC 5280). Trust comes from pinning the certificate, not from its name.
 *
 * @param name common name, for people to read; ASCII or UTF-8, 64 characters at most
 * @param serial 1 to 20 random octets
 */
export function createChannelCredential(options: {
  readonly name: string;
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}): ChannelCredential {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const name = der.sequence(der.set(der.sequence(der.objectIdentifier(OID.commonName), der.utf8String(options.name))));
  const algorithm = der.sequence(der.objectIdentifier(OID.ecdsaWithSha256));
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(options.serial),
    algorithm,
    name,
    der.sequence(der.time(options.notBefore), der.time(options.notAfter)),
    name,
    publicKey,
    der.explicit(3, der.sequence(...extensions())),
  );
  const signature = sign("sha256", toBeSigned, createPrivateKey(privateKey));
  const certificate = der.sequence(toBeSigned, algorithm, der.bitString(signature));
  return { privateKey, certificate: pem(certificate) };
}

/** SHA-256 of the whole certificate, lower-case hex: what a pin compares. @throws where it is not a certificate */
export function certificateFingerprint(certificate: string | Uint8Array): string {
  return createHash("sha256").update(new X509Certificate(certificate).raw).digest("hex");
}

function extensions(): Uint8Array[] {
  // digitalSignature is bit 0 of the BIT STRING: 0x80 with seven unused bits.
  const digitalSignature = der.bitString(Uint8Array.of(0x80), 7);
  const usages = der.sequence(der.objectIdentifier(OID.serverAuth), der.objectIdentifier(OID.clientAuth));
  return [
    extension(OID.basicConstraints, true, der.sequence()),
    extension(OID.keyUsage, true, digitalSignature),
    extension(OID.extendedKeyUsage, false, usages),
  ];
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.objectIdentifier(id), ...flag, der.octetString(value));
}

function pem(octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

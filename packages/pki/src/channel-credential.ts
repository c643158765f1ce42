import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { isIP, SocketAddress } from "node:net";
import { decode } from "@meterkeep/dlms";
import { issueRoot } from "./authority/issue.ts";
import type { CertificateProfile } from "./profile/profile.ts";
import type { GeneralName } from "./x509/extensions.ts";
import { OID } from "./x509/identifiers.ts";
import { toPem } from "./x509/pem.ts";
import { publicKey as publicKeyInfo } from "./x509/public-key.ts";
import { localSigner } from "./x509/signature.ts";

/** What one end of a channel inside the platform proves itself with. */
export interface ChannelCredential {
  /** PKCS#8, PEM. Belongs in a file that only its process may read. */
  readonly privateKey: string;
  /** Self-signed X.509 v3, PEM. The other end pins it. */
  readonly certificate: string;
}

/** A certificate for TLS on both sides that nobody issued: trust comes from pinning it, not from its name. */
const CHANNEL: CertificateProfile = {
  name: "channel",
  source: "Meterkeep, ADR 0004",
  authority: false,
  curve: "P-256",
  subject: { kind: "named", required: ["CN"], allowed: [] },
  altName: { kind: "absent" },
  keyUsage: ["digitalSignature"],
  extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
  keyIdentifier: "sha-1",
  policies: { presence: "absent", ids: [] },
  distributionPoints: "forbidden",
  validity: { days: 40 * 366 },
};

/**
 * Makes a credential for a channel between two processes of the platform: an EC P-256 key pair and a self-signed
 * certificate.
 *
 * @param name common name, for people to read; 64 characters at most
 * @param serial 1 to 20 random octets
 * @param hosts names and addresses of the machine, where the other end is a stranger that compares them
 */
export function createChannelCredential(options: {
  readonly name: string;
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly hosts?: readonly string[];
}): ChannelCredential {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = decode(publicKeyInfo, new Uint8Array(publicKey.export({ type: "spki", format: "der" })));
  const { name, serial, notBefore, notAfter, hosts = [] } = options;
  const certificate = issueRoot(localSigner(privateKey, key), {
    profile: hosts.length === 0 ? CHANNEL : { ...CHANNEL, altName: { kind: "hosts" } },
    hosts: hosts.map(hostName),
    subject: { names: { CN: name } },
    serial,
    notBefore,
    notAfter,
  });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  return { privateKey: pem.toString(), certificate: toPem("CERTIFICATE", certificate.octets) };
}

function hostName(host: string): GeneralName {
  if (isIP(host) === 0) return { kind: "dNSName", value: host };
  const address = new SocketAddress({ address: host, family: isIP(host) === 6 ? "ipv6" : "ipv4" });
  return { kind: "iPAddress", value: addressOctets(address.address) };
}

/** Four octets, or the sixteen of eight groups with their zeros written out. */
function addressOctets(address: string): Uint8Array {
  if (!address.includes(":")) return Uint8Array.from(address.split("."), Number);
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const left = groups(head);
  const right = groups(tail ?? "");
  const middle = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => "0");
  return new Uint8Array(
    [...left, ...middle, ...right].flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

/** SHA-256 of the whole certificate, lower-case hex: what a pin compares. @throws where it is not a certificate */
export function certificateFingerprint(certificate: string | Uint8Array): string {
  return createHash("sha256").update(new X509Certificate(certificate).raw).digest("hex");
}

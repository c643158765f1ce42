import { generateKeyPairSync, randomBytes } from "node:crypto";
import { type Curve, decode } from "@meterkeep/dlms";
import {
  type CertificateProfile,
  type ChannelCredential,
  type Issuer,
  issueCertificate,
  issueRoot,
  localSigner,
  PROFILES,
  publicKey,
  toPem,
} from "@meterkeep/pki";

const BEGIN = new Date("2026-01-01T00:00:00Z");

/** An authority that issues certificates to head-ends, PEM. */
export function testAuthority() {
  const root = freshKey("P-384");
  const tree: Issuer = {
    signer: root.signer,
    certificate: issueRoot(root.signer, {
      profile: profileNamed("root"),
      subject: { names: { CN: "Test Root", C: "AT" } },
      serial: randomBytes(16),
      notBefore: BEGIN,
    }),
  };
  const own = freshKey("P-256");
  const issuing: Issuer = {
    signer: own.signer,
    certificate: issueCertificate(tree, {
      profile: { ...profileNamed("issuing-p256"), policies: { presence: "absent", ids: [] } },
      subject: { names: { CN: "Test Issuing" } },
      serial: randomBytes(16),
      notBefore: BEGIN,
      publicKey: own.signer.publicKey,
    }),
  };
  return {
    issuer: toPem("CERTIFICATE", issuing.certificate.octets),
    issue: (name: string): ChannelCredential => {
      const key = freshKey("P-256");
      const { octets } = issueCertificate(issuing, {
        profile: profileNamed("tls-client"),
        subject: { names: { CN: name } },
        serial: randomBytes(16),
        notBefore: BEGIN,
        publicKey: key.signer.publicKey,
      });
      return { privateKey: key.pem, certificate: toPem("CERTIFICATE", octets) };
    },
  };
}

function profileNamed(name: string): CertificateProfile {
  return PROFILES.get(name) as CertificateProfile;
}

function freshKey(curve: Curve) {
  const pair = generateKeyPairSync("ec", { namedCurve: curve });
  const key = decode(publicKey, new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" })));
  const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { signer: localSigner(pair.privateKey, key), pem };
}

import { DlmsError, systemTitle, systemTitleText, toHex } from "@meterkeep/dlms";
import {
  type AuthorityRecord,
  type Certificate,
  type CertificateRecord,
  decodeCertificate,
  deviceOf,
  isSignedBy,
  keyIdentifier,
  PkiError,
  PROFILES,
} from "@meterkeep/pki";

/**
 * The certificate of a row, where its authority has signed it and it is the one that the row says: its serial number, its
 * key and its device. Whoever owns the database can write other octets there, also those of another certificate of ours.
 *
 * @param issuer the record of its authority, which is bound
 */
export function soundCertificate(record: CertificateRecord, issuer: AuthorityRecord): Certificate | undefined {
  if (record.octets === undefined) return undefined;
  try {
    const certificate = decodeCertificate(record.octets);
    const { publicKey } = decodeCertificate(issuer.certificate);
    const { serial, signatureAlgorithm, toBeSigned, signature } = certificate;
    const key = keyIdentifier(certificate.publicKey, PROFILES.get(record.profile)?.keyIdentifier ?? "sha-1");
    const device = deviceOf(certificate);
    const isItself =
      toHex(serial) === record.serial &&
      toHex(key) === record.keyIdentifier &&
      (device && systemTitleText(systemTitle(device))) === record.systemTitle;
    return isItself && isSignedBy(publicKey, signatureAlgorithm, toBeSigned, signature) ? certificate : undefined;
  } catch (error) {
    if (error instanceof DlmsError || error instanceof PkiError) return undefined;
    throw error;
  }
}

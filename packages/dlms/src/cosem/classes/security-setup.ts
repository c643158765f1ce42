import type { Infer } from "../../codec/codec.ts";
import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** key_id of `keyTransfer` and `keyAgreement`. `keyEncryptionKey` is the meter's master key. */
export const KEY_IDS = {
  globalUnicastEncryptionKey: 0,
  globalBroadcastEncryptionKey: 1,
  authenticationKey: 2,
  keyEncryptionKey: 3,
} as const;

const keyId = d.enumeration(KEY_IDS);
const securitySuite = d.enumeration({ suite0: 0, suite1: 1, suite2: 2 });
const keyPairUse = d.enumeration({ digitalSignature: 0, keyAgreement: 1, tls: 2 });
const certificateEntity = d.enumeration({ server: 0, client: 1, certificationAuthority: 2, other: 3 });
const certificateType = d.enumeration({ digitalSignature: 0, keyAgreement: 1, tls: 2, other: 3 });

/** Several keys of one call; a meter need not take them all or none (a part may be applied). */
const keyTransfer = d.array(d.structure({ keyId, keyWrapped: d.octetString }));
const keyAgreement = d.array(d.structure({ keyId, keyData: d.octetString }));

/** Security setup: class_id 64, version 0 (Blue Book 4.4.7, first edition of the class). */
export const SecuritySetupV0 = interfaceClass({
  id: 64,
  version: 0,
  name: "Security setup",
  methodOffset: 0x30,
  attributes: {
    securityPolicy: attribute(
      2,
      d.enumeration({ nothing: 0, authenticated: 1, encrypted: 2, authenticatedAndEncrypted: 3 }),
    ),
    securitySuite: attribute(3, securitySuite),
    clientSystemTitle: attribute(4, d.octetString),
    serverSystemTitle: attribute(5, d.octetString),
  },
  methods: {
    securityActivate: method(1, d.enum),
    globalKeyTransfer: method(2, keyTransfer),
  },
});

/** certificate_identification_options, by whose the certificate is. */
export const certificateByEntity = d.structure({ certificateEntity, certificateType, systemTitle: d.octetString });
/** certificate_identification_options, by serial number and issuer. */
export const certificateBySerial = d.structure({ serialNumber: d.octetString, issuer: d.octetString });

/** certificate_identification: by whose it is, or by its serial number and issuer. */
const certificateIdentification = d.structure({
  kind: d.enumeration({ byEntity: 0, bySerial: 1 }),
  options: d.any,
});

/** certificate_info: what a meter says of a certificate that it holds. */
const certificateInfo = d.structure({
  certificateEntity,
  certificateType,
  serialNumber: d.octetString,
  issuer: d.octetString,
  subject: d.octetString,
  subjectAltName: d.octetString,
});
export type CertificateInfo = Infer<typeof certificateInfo>;

/** Security setup: class_id 64, version 1. */
export const SecuritySetup = interfaceClass({
  id: 64,
  version: 1,
  name: "Security setup",
  methodOffset: 0x30,
  attributes: {
    securityPolicy: attribute(
      2,
      d.bits({
        authenticatedRequest: 2,
        encryptedRequest: 3,
        signedRequest: 4,
        authenticatedResponse: 5,
        encryptedResponse: 6,
        signedResponse: 7,
      }),
    ),
    securitySuite: attribute(3, securitySuite),
    clientSystemTitle: attribute(4, d.octetString),
    serverSystemTitle: attribute(5, d.octetString),
    certificates: attribute(6, d.array(certificateInfo)),
  },
  methods: {
    /** Policies can only be strengthened. */
    securityActivate: method(1, d.enum),
    keyTransfer: method(2, keyTransfer),
    keyAgreement: method(3, keyAgreement, keyAgreement),
    generateKeyPair: method(4, keyPairUse),
    generateCertificateRequest: method(5, keyPairUse, d.octetString),
    importCertificate: method(6, d.octetString),
    exportCertificate: method(7, certificateIdentification, d.octetString),
    removeCertificate: method(8, certificateIdentification),
  },
});

export { asn1 } from "./asn1/asn1.ts";
export type { Asn1 } from "./asn1/element.ts";
export {
  type Assignment,
  AssignmentIndex,
  type AssignmentTable,
  openAssignments,
  signAssignments,
} from "./assignment/table.ts";
export type { TimedAnswer } from "./authority/answers.ts";
export { Authorities, authorityId, type OpenAuthority } from "./authority/authorities.ts";
export {
  type Examination,
  type ExaminationDependencies,
  examineCertificate,
} from "./authority/examination.ts";
export {
  certificateOf,
  type IssueOrder,
  type Issuer,
  issueCertificate,
  issueRoot,
  type PreparedCertificate,
  prepareCertificate,
  prepareRoot,
} from "./authority/issue.ts";
export {
  AUTHORITY_MADE,
  CERTIFICATE_ORDERED,
  type EntriesInMemory,
  type LedgeredOrder,
  type LedgeredOrders,
  type OrderEntry,
  orderOf,
  ordersOfEntries,
  PASSWORD_MADE,
} from "./authority/ledgered-orders.ts";
export { lostKeysOf } from "./authority/lost-keys.ts";
export {
  type AdoptedAuthority,
  type AuthorityDependencies,
  type AuthorityEntry,
  type AuthorityOrder,
  type CertificateOrder,
  type JournaledRevocation,
  type LostKeys,
  OFFLINE,
} from "./authority/orders.ts";
export { type Published, Publisher, type PublishingOptions } from "./authority/publisher.ts";
export { type ReplayedEntry, replayRevocations, revocationOf } from "./authority/replay.ts";
export { SHARDS, shardOf } from "./authority/shards.ts";
export { type ChannelCredential, certificateFingerprint, createChannelCredential } from "./channel-credential.ts";
export { decodeCertsOnly, encodeCertsOnly } from "./enrolment/cms.ts";
export { askedAttributes, csrAttributesFor } from "./enrolment/csr-attributes.ts";
export type { EstPlace } from "./enrolment/est-client.ts";
export { type IdentityOptions, OwnIdentity } from "./enrolment/own-identity.ts";
export { PKI_ERROR_CODES, PkiError, type PkiErrorCode } from "./errors.ts";
export { isHost } from "./profile/hosts.ts";
export { type Finding, lintCertificate } from "./profile/lint.ts";
export type { AltNameRule, CertificateProfile, NameField, SubjectRule } from "./profile/profile.ts";
export { isAuthorityProfile, PROFILES } from "./profile/profiles.ts";
export { makeSubject, requireSubject, type SubjectOf, subjectNames } from "./profile/subject.ts";
export { memoryRegistry } from "./registry/memory-registry.ts";
export { memoryPkiStore } from "./registry/memory-store.ts";
export {
  type AssignmentRecord,
  type CertificateRemoval,
  type EnrolmentPassword,
  type IslandCut,
  isAgainstAuthority,
  isOver,
  type PkiStore,
  PLAN_STATES,
  type PlanState,
  REVOCATION_STAGES,
  type RevocationPlan,
  type RevocationPlans,
  type RevocationStage,
} from "./registry/pki-store.ts";
export { postgresRegistry } from "./registry/postgres-registry.ts";
export { PKI_GRANTS, PKI_MIGRATIONS, postgresPkiStore } from "./registry/postgres-store.ts";
export { inPageOrder, isLike } from "./registry/query.ts";
export {
  type AuthorityRecord,
  type CertificateQuery,
  type CertificateRecord,
  type CertificateState,
  type Ending,
  type Extent,
  type ListRecord,
  type MeterPlace,
  type Registry,
  type RevokedCertificate,
  type SignedCertificate,
  stateOf,
} from "./registry/registry.ts";
export {
  applyDelta,
  type CrlOrder,
  coversCertificate,
  crlOf,
  issueCrl,
  openCrl,
  prepareCrl,
  type Revocation,
  type RevocationList,
} from "./revocation/crl.ts";
export { type ListStatus, statusByLists } from "./revocation/list-status.ts";
export {
  askedSerial,
  type CertificateStatus,
  isResponderOf,
  issueOcspResponse,
  makeOcspRequest,
  OCSP_ERRORS,
  ocspError,
  openOcspResponse,
} from "./revocation/ocsp.ts";
export { REVOCATION_MOVES, type RevocationMove } from "./revocation/plan-moves.ts";
export { REVOCATION_REASONS, type RevocationReason } from "./revocation/reasons.ts";
export {
  CERTIFICATES_REMOVED,
  type OpenRemoval,
  type RevocationEffect,
  type RevocationSubject,
  type StageDependencies,
  StagedRevocations,
} from "./revocation/stages.ts";
export { type Certificate, decodeCertificate, NO_END } from "./x509/certificate.ts";
export { deviceOf, nameOctets } from "./x509/device.ts";
export {
  EXTENSIONS,
  type Extension,
  extensionValue,
  type GeneralName,
  hardwareModuleOf,
  KEY_USAGES,
  type KeyUsage,
} from "./x509/extensions.ts";
export { nameOfIdentifier, OID } from "./x509/identifiers.ts";
export { keyIdentifier } from "./x509/key-identifier.ts";
export { type Name, nameText, textOf } from "./x509/name.ts";
export {
  type CertificateUse,
  type PathOptions,
  type PathProblem,
  type PathVerdict,
  validatePath,
} from "./x509/path.ts";
export { fromPem, toPem } from "./x509/pem.ts";
export { type PublicKey, publicKey } from "./x509/public-key.ts";
export { type CertificateRequest, makeRequest, makeRequestWith, openRequest } from "./x509/request.ts";
export { type AuthorityKey, isSignedBy, localSigner, type Signer, signatureOf } from "./x509/signature.ts";

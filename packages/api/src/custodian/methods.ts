import { type Codec, c, type Infer } from "@meterkeep/dlms";
import {
  approveRequest,
  approveResponse,
  authorityState,
  changesResponse,
  enrolApproverRequest,
  enrolApproverResponse,
  freezeRequest,
  inviteApproverRequest,
  inviteApproverResponse,
  limitRequest,
  manifestRequest,
  manifestState,
  manifestsResponse,
  manifestTargetsRequest,
  manifestTargetsResponse,
  planChangeRequest,
  planChangeResponse,
  statementRequest,
  statementResponse,
  submitManifestRequest,
  suspendApproverRequest,
} from "./authority.ts";
import {
  backupChunkResponse,
  backupRequest,
  beginBackupResponse,
  drillCountersRequest,
  drillCountersResponse,
  finishBackupResponse,
  holdingsRequest,
  holdingsResponse,
} from "./backup.ts";
import { installChildRequest, installChildResponse } from "./child.ts";
import { departMetersRequest, departMetersResponse } from "./departure.ts";
import {
  enrolmentReport,
  enrolmentStatesRequest,
  enrolmentStatesResponse,
  planEnrolmentsRequest,
  planEnrolmentsResponse,
  setEnrolmentPolicyRequest,
} from "./enrolment.ts";
import {
  enrolHandheldRequest,
  exposureRequest,
  exposureResponse,
  fieldReportResponse,
  giveLeaseRequest,
  giveLeaseResponse,
  loseHandheldRequest,
  returnLeaseRequest,
} from "./field.ts";
import { enrolHeadEndRequest, headEndsResponse, removeHeadEndRequest } from "./head-ends.ts";
import {
  changeMasterStateRequest,
  changeMasterStateResponse,
  describeKeysRequest,
  describeKeysResponse,
  factoryMastersResponse,
} from "./keys.ts";
import {
  ledgerCheckpointsRequest,
  ledgerCheckpointsResponse,
  ledgerConsistencyRequest,
  ledgerEntriesRequest,
  ledgerEntriesResponse,
  ledgerProofRequest,
  ledgerProofResponse,
  ledgerState,
  noteHeadEndLedgerRequest,
  noteHeadEndLedgerResponse,
  renewLedgerResponse,
} from "./ledger.ts";
import {
  adoptAuthorityRequest,
  adoptAuthorityResponse,
  adoptListRequest,
  assignmentsResponse,
  authoritiesResponse,
  authorityMetersRequest,
  authorityMetersResponse,
  certificateRemovalsRequest,
  certificateRemovalsResponse,
  certificatesResponse,
  expiryBoard,
  issueCertificatesRequest,
  issueCertificatesResponse,
  makeAuthorityRequest,
  makeAuthorityResponse,
  makeEnrolmentPasswordRequest,
  makeEnrolmentPasswordResponse,
  moveRevocationRequest,
  newestCertificatesRequest,
  planRevocationRequest,
  publishedAnswerRequest,
  publishedAnswerResponse,
  publishedListRequest,
  publishedListResponse,
  registryReplay,
  revocationEffect,
  revocationEffectRequest,
  revocationPlan,
  revocationsResponse,
  revokeCertificatesRequest,
  revokeCertificatesResponse,
  searchCertificatesRequest,
  setAssignmentsRequest,
} from "./pki.ts";
import { openPushRequest, openPushResponse } from "./push.ts";
import {
  changeKeyStateRequest,
  compromisedSinceRequest,
  compromisedSinceResponse,
  contactsDueRequest,
  contactsDueResponse,
  exposedMetersRequest,
  exposedMetersResponse,
  keyHygieneRequest,
  keyHygieneResponse,
  keyLifeReport,
  planRotationsRequest,
  planRotationsResponse,
  rotationStatesRequest,
  rotationStatesResponse,
  setKeyPolicyRequest,
} from "./rotation.ts";
import {
  advanceSessionRequest,
  advanceSessionResponse,
  closeSessionRequest,
  closeSessionResponse,
  openRequest,
  openResponse,
  openSessionRequest,
  openSessionResponse,
  releaseSessionRequest,
  releaseSessionResponse,
  sealRequest,
  sealResponse,
} from "./session.ts";
import {
  addMeterRequest,
  addMeterResponse,
  beginShipmentRequest,
  beginShipmentResponse,
  commitShipmentRequest,
  commitShipmentResponse,
  shipmentChunkRequest,
  shipmentChunkResponse,
  shipmentMetersRequest,
  shipmentMetersResponse,
  takeFactoryMasterRequest,
  takeFactoryMasterResponse,
} from "./shipment.ts";
import { custodianStatus } from "./status.ts";
import {
  advanceContactRequest,
  advanceContactResponse,
  nextContactRequest,
  nextContactResponse,
  takeoverStatesRequest,
  takeoverStatesResponse,
} from "./takeover.ts";
import { noteRootKeyCopyRequest, retryPinRequest, retryPinResponse } from "./vault.ts";

/** Who is on a connection, by the certificate it proved. `operator` is the command line on the custodian's machine. */
export const CUSTODIAN_ROLES = ["head-end", "depot", "operator"] as const;
export type CustodianRole = (typeof CUSTODIAN_ROLES)[number];

interface Method<Request, Response> {
  /** On the wire; never given to another method. */
  readonly number: number;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /** Who may call it: nobody else, and nothing is offered to everybody. */
  readonly roles: readonly CustodianRole[];
}

function method<Request, Response>(
  number: number,
  request: Codec<Request>,
  response: Codec<Response>,
  ...roles: readonly CustodianRole[]
): Method<Request, Response> {
  return { number, request, response, roles };
}

/** Everything the custodian does for others. What is not in this table is refused and written to the ledger. */
export const CUSTODIAN_METHODS = {
  status: method(1, c.struct({}), custodianStatus, "head-end", "depot", "operator"),
  beginShipment: method(2, beginShipmentRequest, beginShipmentResponse, "head-end", "operator"),
  shipmentChunk: method(3, shipmentChunkRequest, shipmentChunkResponse, "head-end", "operator"),
  commitShipment: method(4, commitShipmentRequest, commitShipmentResponse, "head-end", "operator"),
  shipmentMeters: method(5, shipmentMetersRequest, shipmentMetersResponse, "head-end", "operator"),
  addMeter: method(6, addMeterRequest, addMeterResponse, "head-end", "operator"),
  nextContact: method(10, nextContactRequest, nextContactResponse, "head-end", "depot"),
  advanceContact: method(11, advanceContactRequest, advanceContactResponse, "head-end", "depot"),
  takeoverStates: method(12, takeoverStatesRequest, takeoverStatesResponse, "head-end", "depot", "operator"),
  openSession: method(20, openSessionRequest, openSessionResponse, "head-end"),
  advanceSession: method(21, advanceSessionRequest, advanceSessionResponse, "head-end"),
  seal: method(22, sealRequest, sealResponse, "head-end"),
  open: method(23, openRequest, openResponse, "head-end"),
  releaseSession: method(24, releaseSessionRequest, releaseSessionResponse, "head-end"),
  closeSession: method(25, closeSessionRequest, closeSessionResponse, "head-end"),
  openPush: method(30, openPushRequest, openPushResponse, "head-end"),
  describeKeys: method(40, describeKeysRequest, describeKeysResponse, "head-end", "operator"),
  ledgerEntries: method(41, ledgerEntriesRequest, ledgerEntriesResponse, "head-end", "operator"),
  planRotations: method(50, planRotationsRequest, planRotationsResponse, "operator"),
  rotationStates: method(51, rotationStatesRequest, rotationStatesResponse, "head-end", "operator"),
  contactsDue: method(52, contactsDueRequest, contactsDueResponse, "head-end"),
  keyLife: method(53, c.struct({}), keyLifeReport, "head-end", "operator"),
  setKeyPolicy: method(54, setKeyPolicyRequest, keyLifeReport, "operator"),
  changeKeyState: method(55, changeKeyStateRequest, c.struct({}), "operator"),
  departMeters: method(57, departMetersRequest, departMetersResponse, "head-end", "operator"),
  exposedMeters: method(58, exposedMetersRequest, exposedMetersResponse, "operator"),
  keyHygiene: method(56, keyHygieneRequest, keyHygieneResponse, "operator"),
  authorityState: method(60, c.struct({}), authorityState, "head-end", "operator"),
  submitManifest: method(61, submitManifestRequest, manifestState, "head-end", "operator"),
  manifest: method(62, manifestRequest, manifestState, "head-end", "operator"),
  manifests: method(63, limitRequest, manifestsResponse, "head-end", "operator"),
  manifestTargets: method(64, manifestTargetsRequest, manifestTargetsResponse, "head-end", "operator"),
  planChange: method(65, planChangeRequest, planChangeResponse, "operator"),
  changes: method(66, limitRequest, changesResponse, "head-end", "operator"),
  statement: method(67, statementRequest, statementResponse, "head-end", "operator"),
  approve: method(68, approveRequest, approveResponse, "head-end", "operator"),
  freeze: method(69, freezeRequest, c.struct({}), "head-end", "operator"),
  inviteApprover: method(70, inviteApproverRequest, inviteApproverResponse, "operator"),
  enrolApprover: method(71, enrolApproverRequest, enrolApproverResponse, "operator"),
  suspendApprover: method(72, suspendApproverRequest, c.struct({}), "head-end", "operator"),
  enrolmentStates: method(140, enrolmentStatesRequest, enrolmentStatesResponse, "head-end", "operator"),
  planEnrolments: method(141, planEnrolmentsRequest, planEnrolmentsResponse, "operator"),
  enrolmentReport: method(142, c.struct({}), enrolmentReport, "head-end", "operator"),
  setEnrolmentPolicy: method(143, setEnrolmentPolicyRequest, enrolmentReport, "operator"),
  ledgerState: method(42, c.struct({}), ledgerState, "head-end", "operator"),
  ledgerProof: method(43, ledgerProofRequest, ledgerProofResponse, "head-end", "operator"),
  ledgerConsistency: method(44, ledgerConsistencyRequest, ledgerProofResponse, "head-end", "operator"),
  ledgerCheckpoints: method(45, ledgerCheckpointsRequest, ledgerCheckpointsResponse, "head-end", "operator"),
  enrolHeadEnd: method(80, enrolHeadEndRequest, c.struct({}), "operator"),
  removeHeadEnd: method(81, removeHeadEndRequest, c.struct({}), "operator"),
  headEnds: method(82, c.struct({}), headEndsResponse, "operator"),
  noteRootKeyCopy: method(216, noteRootKeyCopyRequest, c.struct({}), "operator"),
  retryPin: method(217, retryPinRequest, retryPinResponse, "operator"),
  renewLedger: method(46, c.struct({}), renewLedgerResponse, "operator"),
  noteHeadEndLedger: method(47, noteHeadEndLedgerRequest, noteHeadEndLedgerResponse, "head-end"),
  authorities: method(100, c.struct({}), authoritiesResponse, "head-end", "operator"),
  makeAuthority: method(101, makeAuthorityRequest, makeAuthorityResponse, "operator"),
  adoptAuthority: method(102, adoptAuthorityRequest, adoptAuthorityResponse, "operator"),
  adoptList: method(103, adoptListRequest, c.struct({}), "operator"),
  issueCertificates: method(104, issueCertificatesRequest, issueCertificatesResponse, "operator"),
  searchCertificates: method(105, searchCertificatesRequest, certificatesResponse, "head-end", "operator"),
  newestCertificates: method(106, newestCertificatesRequest, certificatesResponse, "head-end", "operator"),
  revokeCertificates: method(107, revokeCertificatesRequest, revokeCertificatesResponse, "operator"),
  publishedList: method(108, publishedListRequest, publishedListResponse, "head-end", "operator"),
  publishedAnswer: method(109, publishedAnswerRequest, publishedAnswerResponse, "head-end", "operator"),
  expiryBoard: method(110, c.struct({}), expiryBoard, "head-end", "operator"),
  assignments: method(111, c.struct({}), assignmentsResponse, "head-end", "operator"),
  setAssignments: method(112, setAssignmentsRequest, assignmentsResponse, "operator"),
  revocationEffect: method(113, revocationEffectRequest, revocationEffect, "head-end", "operator"),
  planRevocation: method(114, planRevocationRequest, revocationPlan, "operator"),
  moveRevocation: method(115, moveRevocationRequest, revocationPlan, "operator"),
  revocations: method(116, c.struct({}), revocationsResponse, "head-end", "operator"),
  certificateRemovals: method(117, certificateRemovalsRequest, certificateRemovalsResponse, "head-end", "operator"),
  authorityMeters: method(120, authorityMetersRequest, authorityMetersResponse, "head-end", "operator"),
  replayRegistry: method(121, c.struct({}), registryReplay, "operator"),
  makeEnrolmentPassword: method(119, makeEnrolmentPasswordRequest, makeEnrolmentPasswordResponse, "operator"),
  beginBackup: method(200, c.struct({}), beginBackupResponse, "operator"),
  backupChunk: method(201, backupRequest, backupChunkResponse, "operator"),
  finishBackup: method(202, backupRequest, finishBackupResponse, "operator"),
  holdings: method(203, holdingsRequest, holdingsResponse, "operator"),
  compromisedSince: method(205, compromisedSinceRequest, compromisedSinceResponse, "head-end", "operator"),
  enrolHandheld: method(206, enrolHandheldRequest, c.struct({}), "operator"),
  giveLease: method(207, giveLeaseRequest, giveLeaseResponse, "operator"),
  returnLease: method(208, returnLeaseRequest, fieldReportResponse, "operator"),
  loseHandheld: method(209, loseHandheldRequest, fieldReportResponse, "head-end", "operator"),
  fieldReport: method(210, c.struct({}), fieldReportResponse, "head-end", "operator"),
  installChild: method(212, installChildRequest, installChildResponse, "operator"),
  takeFactoryMaster: method(213, takeFactoryMasterRequest, takeFactoryMasterResponse, "operator"),
  factoryMasters: method(214, c.struct({}), factoryMastersResponse, "operator"),
  changeMasterState: method(215, changeMasterStateRequest, changeMasterStateResponse, "operator"),
  exposure: method(211, exposureRequest, exposureResponse, "head-end", "operator"),
  drillCounters: method(204, drillCountersRequest, drillCountersResponse, "operator"),
} as const;

export type CustodianMethod = keyof typeof CUSTODIAN_METHODS;
export type CustodianRequest<M extends CustodianMethod> = Infer<(typeof CUSTODIAN_METHODS)[M]["request"]>;
export type CustodianResponse<M extends CustodianMethod> = Infer<(typeof CUSTODIAN_METHODS)[M]["response"]>;

/** The custodian as its callers see it. Take a `Pick` of it: most callers need three methods. */
export type Custodian = {
  readonly [M in CustodianMethod]: (request: CustodianRequest<M>) => Promise<CustodianResponse<M>>;
};

import { type Codec, c, type Infer } from "@meterkeep/dlms";
import { describeKeysRequest, describeKeysResponse } from "./keys.ts";
import {
  ledgerCheckpointsRequest,
  ledgerCheckpointsResponse,
  ledgerConsistencyRequest,
  ledgerEntriesRequest,
  ledgerEntriesResponse,
  ledgerProofRequest,
  ledgerProofResponse,
  ledgerState,
  renewLedgerResponse,
} from "./ledger.ts";
import { openPushRequest, openPushResponse } from "./push.ts";
import {
  changeKeyStateRequest,
  contactsDueRequest,
  contactsDueResponse,
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
  keyHygiene: method(56, keyHygieneRequest, keyHygieneResponse, "operator"),
  ledgerState: method(42, c.struct({}), ledgerState, "head-end", "operator"),
  ledgerProof: method(43, ledgerProofRequest, ledgerProofResponse, "head-end", "operator"),
  ledgerConsistency: method(44, ledgerConsistencyRequest, ledgerProofResponse, "head-end", "operator"),
  ledgerCheckpoints: method(45, ledgerCheckpointsRequest, ledgerCheckpointsResponse, "head-end", "operator"),
  renewLedger: method(46, c.struct({}), renewLedgerResponse, "operator"),
} as const;

export type CustodianMethod = keyof typeof CUSTODIAN_METHODS;
export type CustodianRequest<M extends CustodianMethod> = Infer<(typeof CUSTODIAN_METHODS)[M]["request"]>;
export type CustodianResponse<M extends CustodianMethod> = Infer<(typeof CUSTODIAN_METHODS)[M]["response"]>;

/** The custodian as its callers see it. Take a `Pick` of it: most callers need three methods. */
export type Custodian = {
  readonly [M in CustodianMethod]: (request: CustodianRequest<M>) => Promise<CustodianResponse<M>>;
};

import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { conformance } from "./conformance.ts";

/** The one version of xDLMS there is. */
export const DLMS_VERSION = 6;

/** The VAA name of logical-name referencing; with short names it is the base name of the association object. */
export const VAA_NAME_LN = 0x0007;

/**
 * InitiateRequest ::= SEQUENCE { dedicated-key OPTIONAL, response-allowed DEFAULT TRUE,
 * proposed-quality-of-service OPTIONAL, proposed-dlms-version-number, proposed-conformance,
 * client-max-receive-pdu-size }
 */
export const initiateRequest = c.struct({
  dedicatedKey: c.optional(c.bytes()),
  responseAllowed: c.withDefault(c.boolean, true),
  proposedQualityOfService: c.optional(c.integer8),
  proposedDlmsVersionNumber: c.unsigned8,
  proposedConformance: conformance,
  /** 0 means no limit. */
  clientMaxReceivePduSize: c.unsigned16,
});
export type InitiateRequest = Infer<typeof initiateRequest>;

/**
 * InitiateResponse ::= SEQUENCE { negotiated-quality-of-service OPTIONAL, negotiated-dlms-version-number,
 * negotiated-conformance, server-max-receive-pdu-size, vaa-name }
 */
export const initiateResponse = c.struct({
  negotiatedQualityOfService: c.optional(c.integer8),
  negotiatedDlmsVersionNumber: c.unsigned8,
  negotiatedConformance: conformance,
  serverMaxReceivePduSize: c.unsigned16,
  vaaName: c.unsigned16,
});
export type InitiateResponse = Infer<typeof initiateResponse>;

import { acseApdu } from "../acse/acse-apdu.ts";
import { rlrq } from "../acse/release.ts";
import { encode } from "../codec/codec.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import { apdu as anyApdu } from "../xdlms/apdu.ts";
import { DLMS_VERSION, VAA_NAME_LN } from "../xdlms/initiate.ts";
import type { Association } from "./connection.ts";
import type { Device } from "./ports.ts";
import { openRequest, sealResponse } from "./protection.ts";

const INITIATE_REQUEST_TAG = 0x01;

/**
 * Answers an RLRQ. Where it carries a ciphered InitiateRequest this one has to be authentic, and the answer proves the
 * server in turn; one without is taken as well: whoever can send it could as well cut the line.
 *
 * @throws RequestRefused when what it carries is not authentic; the association then stays.
 */
export function release<Key, State>(
  device: Device<Key, State>,
  association: Association<Key>,
  octets: Uint8Array,
  reason: "normal" | "not-finished",
): Uint8Array {
  const { userInformation } = decodeApdu(rlrq, octets);
  const { security, agreement } = association;
  if (userInformation === undefined || userInformation[0] === INITIATE_REQUEST_TAG || security === undefined)
    return encode(acseApdu, { kind: "rlre", value: { reason } });
  const { protection } = openRequest(device.ciphers, security, agreement, userInformation, "associating");
  const initiateResponse = encode(anyApdu, {
    kind: "initiate-response",
    value: {
      negotiatedDlmsVersionNumber: DLMS_VERSION,
      negotiatedConformance: agreement.conformance,
      serverMaxReceivePduSize: agreement.maxReceivePduSize,
      vaaName: VAA_NAME_LN,
    },
  });
  const proof = sealResponse(device.ciphers, security, agreement, protection, initiateResponse, "associating");
  return encode(acseApdu, { kind: "rlre", value: { reason, userInformation: proof } });
}

import { acseApdu } from "../acse/acse-apdu.ts";
import { encode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import { apdu as anyApdu } from "../xdlms/apdu.ts";
import { DLMS_VERSION } from "../xdlms/initiate.ts";
import { applicationContext } from "../xdlms/referencing.ts";
import { type AssociationConfig, type ClientAuthentication, proposedConformance } from "./association-config.ts";
import { sealApdu } from "./protection.ts";

const LARGEST_PDU_BYTES = 0xffff;

/** The ciphering of the association's APDUs, or undefined when they stay plain. */
export function contextCiphering<Key>(config: AssociationConfig<Key>) {
  return config.cipheredContext === false ? undefined : config.ciphering;
}

/** The name of the mechanism of high level security. */
export function mechanismOf(authentication: Extract<ClientAuthentication, { kind: "gmac" | "hls" }>) {
  return authentication.kind === "gmac" ? ("high-gmac" as const) : authentication.mechanism.name;
}

/**
 * Builds the AARQ (Green Book 9.4.2.2), its InitiateRequest ciphered where the association is.
 *
 * @throws DlmsError `key-missing` or `invalid-value` when the configuration lacks what the association needs.
 */
export function buildAarq<Key>(config: AssociationConfig<Key>, invocationCounter: number): Uint8Array {
  const { authentication, systemTitle, ciphering } = config;
  const hls = authentication.kind === "hls" && authentication.mechanism.needsTitles;
  const usesKeys = ciphering !== undefined || authentication.kind === "gmac" || hls;
  if (usesKeys && systemTitle === undefined)
    throw new DlmsError("invalid-value", "a client that ciphers or proves itself by keys needs a system title");
  if (authentication.kind === "gmac" && ciphering === undefined)
    throw new DlmsError("key-missing", "mechanism 5 needs the keys of the security setup");
  return encode(acseApdu, {
    kind: "aarq",
    value: {
      applicationContextName: applicationContext(
        config.referencing ?? "logical-name",
        contextCiphering(config) !== undefined,
      ),
      ...config.fields,
      ...(systemTitle === undefined ? {} : { callingApTitle: systemTitle }),
      ...(config.certificate === undefined ? {} : { callingAeQualifier: config.certificate }),
      ...(config.userId === undefined ? {} : { callingAeInvocationId: config.userId }),
      ...authenticationFields(config),
      userInformation: initiateRequest(config, invocationCounter),
    },
  });
}

/** Builds the RLRQ; in a ciphered association it carries a ciphered InitiateRequest as proof. */
export function buildRlrq<Key>(config: AssociationConfig<Key>, invocationCounter: number): Uint8Array {
  const proof =
    contextCiphering(config) === undefined ? {} : { userInformation: initiateRequest(config, invocationCounter) };
  return encode(acseApdu, { kind: "rlrq", value: { reason: "normal", ...proof } });
}

function authenticationFields<Key>({ authentication }: AssociationConfig<Key>) {
  switch (authentication.kind) {
    case "none":
      return {};
    case "lls":
      return {
        senderAcseRequirements: true,
        mechanismName: "low",
        callingAuthenticationValue: authentication.password,
      } as const;
    case "gmac":
    case "hls":
      return {
        senderAcseRequirements: true,
        mechanismName: mechanismOf(authentication),
        callingAuthenticationValue: authentication.challenge,
      } as const;
    default:
      return authentication satisfies never;
  }
}

function initiateRequest<Key>(config: AssociationConfig<Key>, invocationCounter: number): Uint8Array {
  const ciphering = contextCiphering(config);
  const dedicated = ciphering?.form === "dedicated" || ciphering?.form === "general-dedicated";
  if (dedicated && ciphering.dedicatedKey === undefined)
    throw new DlmsError("key-missing", `the form "${ciphering.form}" needs a dedicated key`);
  const plain = encode(anyApdu, {
    kind: "initiate-request",
    value: {
      ...(dedicated && ciphering.dedicatedKey !== undefined ? { dedicatedKey: ciphering.dedicatedKey.octets } : {}),
      responseAllowed: true,
      ...(config.qualityOfService === undefined ? {} : { proposedQualityOfService: config.qualityOfService }),
      proposedDlmsVersionNumber: DLMS_VERSION,
      proposedConformance: proposedConformance(config),
      clientMaxReceivePduSize: config.maxReceivePduSize ?? LARGEST_PDU_BYTES,
    },
  });
  if (ciphering === undefined || config.systemTitle === undefined) return plain;
  return sealApdu({ ciphering, client: config.systemTitle }, plain, invocationCounter, { form: "global" });
}

import { type Data, DecodeError, DlmsError, data, decode, encode, SecuritySetup, toHex } from "@meterkeep/dlms";
import { deviceOf, openRequest, PkiError } from "@meterkeep/pki";
import { securitySetupName } from "../protocol/meter-facts.ts";
import { actionAnswer, encodedActionRequest, getRequest, getResult } from "../protocol/requests.ts";
import type { MeterRecord } from "../store/records.ts";
import type { CertificateName, EnrolledUse, EnrolmentEffect, EnrolmentEvent } from "./journal.ts";
import { certificateId, namedOctets } from "./meter-authority.ts";

const { methods } = SecuritySetup;
const CERTIFICATES = 6;

/** An effect of the machine that calls a method of the security setup, or reads its certificates. */
export type Call = Extract<
  EnrolmentEffect,
  { kind: "export" | "list" | "generate" | "request" | "import-item" | "import-own" | "remove" | "ask-signed" }
>;

type WithoutTime<E> = E extends unknown ? Omit<E, "at"> : never;
/** What an answer meant to the machine; the time is added by who hands it in. */
export type Happened = WithoutTime<EnrolmentEvent>;

/** The plain request of a call. `octets`: the certificate of an import. */
export function callRequest(
  call: Call,
  { systemTitle, setup }: { readonly systemTitle: Uint8Array; readonly setup: number },
  octets?: Uint8Array,
): Uint8Array {
  const object = securitySetupName(setup);
  const action = (methodId: number, parameter: Uint8Array) =>
    encodedActionRequest(SecuritySetup.id, object, methodId, parameter);
  switch (call.kind) {
    case "list":
      return getRequest({ classId: SecuritySetup.id, logicalName: object, attributeId: CERTIFICATES });
    case "ask-signed":
      // Anything that is signed and ciphered as the association has it: which suite it has.
      return getRequest({ classId: SecuritySetup.id, logicalName: object, attributeId: 3 });
    case "generate":
      return action(methods.generateKeyPair.index, encode(methods.generateKeyPair.parameter, call.use));
    case "request":
      return action(
        methods.generateCertificateRequest.index,
        encode(methods.generateCertificateRequest.parameter, call.use),
      );
    case "import-item":
    case "import-own":
      return action(
        methods.importCertificate.index,
        encode(methods.importCertificate.parameter, octets ?? new Uint8Array(0)),
      );
    case "export":
      return action(
        methods.exportCertificate.index,
        encode(
          methods.exportCertificate.parameter,
          "use" in call.which ? ownCertificate(call.which.use, systemTitle) : bySerial(call.which),
        ),
      );
    case "remove":
      return action(
        methods.removeCertificate.index,
        encode(methods.removeCertificate.parameter, bySerial(call.certificate)),
      );
    default:
      return call satisfies never;
  }
}

const USE_NUMBERS = { digitalSignature: 0, keyAgreement: 1, tls: 2 } as const;

function ownCertificate(use: EnrolledUse, systemTitle: Uint8Array) {
  const value: Data[] = [
    { type: "enum", value: 0 },
    { type: "enum", value: USE_NUMBERS[use] },
    { type: "octet-string", value: systemTitle },
  ];
  return { kind: "byEntity", options: { type: "structure", value } } as const;
}

function bySerial(name: CertificateName) {
  const { serialNumber, issuer } = namedOctets(name);
  const value: Data[] = [
    { type: "octet-string", value: serialNumber },
    { type: "octet-string", value: issuer },
  ];
  return { kind: "bySerial", options: { type: "structure", value } } as const;
}

/** What the plain answer to a call means; undefined where it is not an answer to it. */
export function callAnswered(
  call: Call,
  plain: Uint8Array,
  meter: Pick<MeterRecord, "systemTitle" | "securitySuite">,
  otherKeys: readonly string[],
): Happened | undefined {
  try {
    if (call.kind === "list") return listed(getResult(plain));
    if (call.kind === "ask-signed")
      return getResult(plain) === undefined
        ? undefined
        : { kind: "answered", accepted: true, detail: "it answered signed and ciphered" };
    const answer = actionAnswer(plain);
    if (answer === undefined) return undefined;
    const detail = `the meter answered ${answer.result}`;
    const accepted = answer.result === "success";
    if (call.kind === "export") {
      const octets = accepted ? octetsOf(answer.returned) : undefined;
      return { kind: "exported", id: octets && certificateId(octets), detail };
    }
    if (call.kind !== "request") return { kind: "answered", accepted, detail };
    const octets = accepted ? octetsOf(answer.returned) : undefined;
    return octets === undefined ? { kind: "request-unfit", detail } : judged(octets, call.use, meter, otherKeys);
  } catch (error) {
    // What does not decode was not said.
    if (error instanceof DecodeError || error instanceof DlmsError) return undefined;
    throw error;
  }
}

/** A request is fit when it proves possession of a key on the suite's curve, for this meter, that is used for nothing else. */
function judged(
  octets: Uint8Array,
  use: EnrolledUse,
  { systemTitle, securitySuite }: Pick<MeterRecord, "systemTitle" | "securitySuite">,
  otherKeys: readonly string[],
): Happened {
  const unfit = (detail: string): Happened => ({ kind: "request-unfit", detail });
  try {
    const request = openRequest(octets);
    const device = deviceOf(request);
    if (device === undefined || toHex(device).toUpperCase() !== systemTitle)
      return unfit("its request names another subject than its system title");
    if (request.publicKey.curve !== (securitySuite === 2 ? "P-384" : "P-256"))
      return unfit(`its request is for a key on ${request.publicKey.curve}, which is not its suite's`);
    const key = toHex(request.publicKey.point);
    if (otherKeys.includes(key)) return unfit(`its request for ${use} is for a key that it has already`);
    return { kind: "requested", key };
  } catch (error) {
    if (error instanceof DlmsError || error instanceof PkiError)
      return unfit(`its request does not prove that it has the key: ${error.message}`);
    throw error;
  }
}

function listed(value: Data | undefined): Happened | undefined {
  if (value === undefined) return undefined;
  const list = decode(SecuritySetup.attributes.certificates.codec, encode(data, value));
  const certificates = list.map(({ serialNumber, issuer }) => ({
    serial: toHex(serialNumber),
    issuer: toHex(issuer),
  }));
  return { kind: "listed", certificates };
}

function octetsOf(value: Data | undefined): Uint8Array | undefined {
  return value?.type === "octet-string" ? value.value : undefined;
}

import { acseApdu } from "../acse/acse-apdu.ts";
import type { Aare } from "../acse/association.ts";
import { equalBytes } from "../bytes.ts";
import { decode } from "../codec/codec.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import { challengeObjection } from "../security/challenge.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { intersectConformance } from "../xdlms/conformance.ts";
import { DLMS_VERSION, initiateResponse, VAA_NAME_LN } from "../xdlms/initiate.ts";
import { ASSOCIATION_BASE_NAME, applicationContext } from "../xdlms/referencing.ts";
import { contextCiphering, mechanismOf } from "./aarq.ts";
import { type AssociationConfig, proposedConformance } from "./association-config.ts";
import type { Negotiated } from "./ports.ts";
import { openApdu } from "./protection.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";

const INITIATE_RESPONSE_TAG = 0x08;

/** What an accepting AARE brought. */
export interface AcceptedAssociation {
  readonly negotiated: Negotiated;
  /** The counter of the ciphered InitiateResponse. */
  readonly counter: number | undefined;
  /** What the client has to answer under high level security. */
  readonly serverChallenge: Uint8Array | undefined;
  /** The server's signing certificate, as it sent it: nobody has checked it yet. */
  readonly serverCertificate: Uint8Array | undefined;
}

/**
 * Reads the answer to an AARQ.
 *
 * @throws SessionError when the association is not accepted, or not by whom it should be; DecodeError for octets that
 * are no AARE.
 */
export function readAare<Key>(config: AssociationConfig<Key>, octets: Uint8Array): AcceptedAssociation {
  const refusal = refusalOf(octets);
  if (refusal !== undefined) throw refusal;
  const answer = decode(acseApdu, octets);
  if (answer.kind !== "aare")
    throw new SessionError("unexpected-response", `the server answers the AARQ with "${answer.kind}"`);
  const aare = answer.value;
  if (aare.result !== "accepted") throw rejected(aare);
  // A server that names the ciphered context where plain APDUs were asked for does no harm; the other way it does.
  const { referencing = "logical-name" } = config;
  const ciphered = applicationContext(referencing, true);
  const contexts: readonly unknown[] = contextCiphering(config) === undefined ? [referencing, ciphered] : [ciphered];
  if (!contexts.includes(aare.applicationContextName))
    throw new SessionError("unexpected-response", `the server accepts the context "${aare.applicationContextName}"`);
  const serverSystemTitle = serverTitle(config, aare);
  const { plain, counter } = openInitiateResponse(config, aare, serverSystemTitle);
  const initiate = decodeApdu(initiateResponse, plain);
  // jDLMS names the association 7 under short names as well: there it can only mean the standard's name.
  const named = referencing === "short-name" || initiate.vaaName === VAA_NAME_LN;
  if (initiate.negotiatedDlmsVersionNumber !== DLMS_VERSION || !named)
    throw new SessionError("unexpected-response", "the server agrees on another DLMS version or way of naming objects");
  const size = initiate.serverMaxReceivePduSize;
  return {
    negotiated: {
      // Some servers answer with more than was proposed.
      conformance: intersectConformance(proposedConformance(config), initiate.negotiatedConformance),
      maxReceivePduSize: size === 0 ? undefined : size,
      serverSystemTitle,
      ...(referencing === "short-name"
        ? { associationBaseName: initiate.vaaName === VAA_NAME_LN ? ASSOCIATION_BASE_NAME : initiate.vaaName }
        : {}),
    },
    counter,
    serverChallenge: serverChallenge(config, aare),
    serverCertificate: aare.respondingAeQualifier?.slice(),
  };
}

function rejected({ result, diagnostic, userInformation }: Aare): SessionError {
  const cause = userInformation === undefined ? undefined : refusalOf(userInformation);
  const reason = cause?.reason ?? String(diagnostic.value);
  return new SessionError("association-rejected", `the server rejects the association: ${result}, ${reason}`, {
    reason,
    cause,
  });
}

function serverTitle<Key>(config: AssociationConfig<Key>, { respondingApTitle }: Aare): SystemTitle | undefined {
  const named = respondingApTitle?.length === 8 ? systemTitle(respondingApTitle.slice()) : undefined;
  const known = config.serverSystemTitle;
  if (named !== undefined && known !== undefined && !equalBytes(named, known))
    throw new SessionError("server-not-authentic", "another meter answers: its system title is not the one expected");
  const server = named ?? known;
  // Who bears our title could send us back what we have sealed ourselves.
  if (server !== undefined && config.systemTitle !== undefined && equalBytes(server, config.systemTitle))
    throw new SessionError("server-not-authentic", "the server claims our own system title");
  return server;
}

function openInitiateResponse<Key>(
  config: AssociationConfig<Key>,
  { userInformation }: Aare,
  server: SystemTitle | undefined,
): { readonly plain: Uint8Array; readonly counter: number | undefined } {
  const ciphering = contextCiphering(config);
  if (userInformation === undefined)
    throw new SessionError("unexpected-response", "the server accepts the association without an InitiateResponse");
  let opened: { readonly plain: Uint8Array; readonly counter: number | undefined };
  if (ciphering === undefined || config.systemTitle === undefined)
    opened = { plain: userInformation, counter: undefined };
  else {
    if (server === undefined)
      throw new SessionError("server-not-authentic", "the server does not say its system title, and none was given");
    opened = openApdu({ ciphering, client: config.systemTitle, server }, userInformation, { mayBeUnsigned: true });
    if (opened.counter !== undefined && opened.counter < (config.lowestServerCounter ?? 0))
      throw new SessionError("counter-replayed", `the server's invocation counter ${opened.counter} was used before`);
  }
  const refusal = refusalOf(opened.plain);
  if (refusal !== undefined) throw refusal;
  if (opened.plain[0] !== INITIATE_RESPONSE_TAG)
    throw new SessionError("unexpected-response", "the server accepts the association without an InitiateResponse");
  return opened;
}

function serverChallenge<Key>(config: AssociationConfig<Key>, aare: Aare): Uint8Array | undefined {
  const { authentication, profile = STANDARD_SECURITY } = config;
  if (authentication.kind !== "gmac" && authentication.kind !== "hls") return undefined;
  const wanted = mechanismOf(authentication);
  // One stack leaves the mechanism out; whether it is the right one the proof will show.
  const { mechanismName = wanted, respondingAuthenticationValue: challenge } = aare;
  if (mechanismName !== wanted || challenge === undefined)
    throw new SessionError("server-not-authentic", `the server does not take part in mechanism "${wanted}"`);
  const objection = challengeObjection(profile, wanted, challenge, authentication.challenge);
  if (objection !== undefined) throw new SessionError("server-not-authentic", `the server's challenge ${objection}`);
  return challenge.slice();
}

import { acseApdu } from "../acse/acse-apdu.ts";
import type { Aare } from "../acse/association.ts";
import { equalBytes } from "../bytes.ts";
import { decode } from "../codec/codec.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import { CHALLENGE_BYTES } from "../security/hls.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { intersectConformance } from "../xdlms/conformance.ts";
import { DLMS_VERSION, initiateResponse, VAA_NAME_LN } from "../xdlms/initiate.ts";
import { contextCiphering } from "./aarq.ts";
import { type AssociationConfig, PROPOSED_CONFORMANCE } from "./association-config.ts";
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
  /** What the client has to answer under mechanism 5. */
  readonly serverChallenge: Uint8Array | undefined;
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
  const contexts: readonly unknown[] =
    contextCiphering(config) === undefined ? ["logical-name", "logical-name-ciphered"] : ["logical-name-ciphered"];
  if (!contexts.includes(aare.applicationContextName))
    throw new SessionError("unexpected-response", `the server accepts the context "${aare.applicationContextName}"`);
  const serverSystemTitle = serverTitle(config, aare);
  const { plain, counter } = openInitiateResponse(config, aare, serverSystemTitle);
  const initiate = decodeApdu(initiateResponse, plain);
  if (initiate.negotiatedDlmsVersionNumber !== DLMS_VERSION || initiate.vaaName !== VAA_NAME_LN)
    throw new SessionError("unexpected-response", "the server agrees on another DLMS version or on short names");
  const size = initiate.serverMaxReceivePduSize;
  return {
    negotiated: {
      // Some servers answer with more than was proposed.
      conformance: intersectConformance(config.conformance ?? PROPOSED_CONFORMANCE, initiate.negotiatedConformance),
      maxReceivePduSize: size === 0 ? undefined : size,
      serverSystemTitle,
    },
    counter,
    serverChallenge: serverChallenge(config, aare),
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
    opened = openApdu({ ciphering, client: config.systemTitle, server }, userInformation);
    if (opened.counter !== undefined && opened.counter < (config.lowestServerCounter ?? 0))
      throw new SessionError("counter-replayed", `the server's invocation counter ${opened.counter} was used before`);
  }
  const refusal = refusalOf(opened.plain);
  if (refusal !== undefined) throw refusal;
  if (opened.plain[0] !== INITIATE_RESPONSE_TAG)
    throw new SessionError("unexpected-response", "the server accepts the association without an InitiateResponse");
  return opened;
}

function serverChallenge<Key>({ authentication }: AssociationConfig<Key>, aare: Aare): Uint8Array | undefined {
  if (authentication.kind !== "gmac") return undefined;
  // One stack leaves the mechanism out; whether it is the right one the proof will show.
  const { mechanismName = "high-gmac", respondingAuthenticationValue: challenge } = aare;
  if (mechanismName !== "high-gmac" || challenge === undefined)
    throw new SessionError("server-not-authentic", "the server does not take part in mechanism 5");
  if (challenge.length < CHALLENGE_BYTES.least || challenge.length > CHALLENGE_BYTES.most)
    throw new SessionError("server-not-authentic", `the server's challenge has ${challenge.length} octets`);
  // Who sends our own challenge back wants us to compute its answer.
  if (equalBytes(challenge, authentication.challenge))
    throw new SessionError("server-not-authentic", "the server sends our own challenge back");
  return challenge.slice();
}

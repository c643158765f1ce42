import { decodeHlsResult, encodeHlsCall } from "../cosem/hls-carrier.ts";
import { DlmsError } from "../errors.ts";
import { gmacReply, verifyGmacReply } from "../security/hls.ts";
import { titlesOf } from "../security/hls-mechanisms.ts";
import type { AcceptedAssociation } from "./aare.ts";
import type { AssociationConfig } from "./association-config.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";

/** What the answers of an association in the making hang on. */
export interface HlsState<Key> {
  readonly config: AssociationConfig<Key>;
  readonly accepted: AcceptedAssociation;
  readonly serverChallenge: Uint8Array;
}

/**
 * The plain request that answers the server's challenge (high level security, pass 3).
 *
 * @param counter for mechanism 5, which has one inside its answer
 */
export function buildProof<Key>(state: HlsState<Key>, counter: number): Uint8Array {
  return encodeHlsCall(clientAnswer(state, counter), state.accepted.negotiated.associationBaseName);
}

/**
 * Checks the server's answer to our challenge (pass 4) and gives the counter inside, which mechanism 5 alone has.
 *
 * @throws SessionError `server-not-authentic` when it is not the answer, `action-refused` when the server does not
 * believe ours.
 */
export function readProof<Key>(state: HlsState<Key>, plain: Uint8Array): number | undefined {
  const refusal = refusalOf(plain);
  if (refusal !== undefined) throw refusal;
  const result = decodeHlsResult(plain);
  if (result === undefined)
    throw new SessionError("unexpected-response", "the server does not answer the authentication");
  if (result.kind === "refused")
    throw new SessionError("action-refused", `the server does not accept our proof: ${result.reason}`, {
      reason: result.reason,
    });
  const verified = result.answer === undefined ? undefined : verifyServer(state, result.answer);
  if (verified === undefined)
    throw new SessionError("server-not-authentic", "the server's answer to our challenge does not prove its keys");
  return verified.counter;
}

function clientAnswer<Key>({ config, accepted, serverChallenge }: HlsState<Key>, counter: number): Uint8Array {
  const { authentication, systemTitle, ciphering } = config;
  if (authentication.kind === "hls") {
    const { mechanism, challenge } = authentication;
    const titles = titlesOf(mechanism, systemTitle, accepted.negotiated.serverSystemTitle);
    return mechanism.answer({ challenge: serverChallenge, ownChallenge: challenge, ...titles });
  }
  if (ciphering === undefined || systemTitle === undefined)
    throw new DlmsError("key-missing", "mechanism 5 needs the keys of the security setup and a system title");
  const { ciphers, suite, encryptionKey, authenticationKey } = ciphering;
  const keys = { encryption: encryptionKey, authentication: authenticationKey };
  return gmacReply(ciphers, keys, { suite, originator: systemTitle, counter }, serverChallenge);
}

function verifyServer<Key>(
  { config, accepted, serverChallenge }: HlsState<Key>,
  answer: Uint8Array,
): { readonly counter: number | undefined } | undefined {
  const { authentication, systemTitle, ciphering } = config;
  const { serverSystemTitle } = accepted.negotiated;
  if (authentication.kind === "hls") {
    const { mechanism, challenge } = authentication;
    const titles = titlesOf(mechanism, serverSystemTitle, systemTitle);
    const certificate = accepted.serverCertificate;
    const exchange = { challenge, ownChallenge: serverChallenge, ...titles, certificate };
    return mechanism.verify(exchange, answer) ? { counter: undefined } : undefined;
  }
  if (ciphering === undefined || serverSystemTitle === undefined || authentication.kind !== "gmac") return undefined;
  const keys = { encryption: ciphering.encryptionKey, authentication: ciphering.authenticationKey };
  return verifyGmacReply(ciphering.ciphers, keys, serverSystemTitle, authentication.challenge, answer);
}

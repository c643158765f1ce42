import { decodeHlsCall, encodeHlsResult, type HlsCall } from "../cosem/hls-carrier.ts";
import { gmacReply, verifyGmacReply } from "../security/hls.ts";
import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import { titlesOf } from "../security/hls-mechanisms.ts";
import type { AssociationSecurity, RequestProtection, Standing } from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import type { Device } from "./ports.ts";
import { keysFor } from "./protection.ts";

type Authenticating<Key> = Extract<Standing<Key>, { kind: "authenticating" }>;

/** What the client's answer to our challenge led to. */
export interface AuthenticateOutcome {
  readonly response: Uint8Array;
  readonly authentic: boolean;
}

/**
 * Takes the client's answer to our challenge and answers its own (high level security, passes 3 and 4; Green Book
 * 9.2.2.2.2.4).
 *
 * @throws RequestRefused for any other request: nothing else is served before both sides have proven themselves.
 */
export function authenticate<Key, State>(
  device: Device<Key, State>,
  standing: Authenticating<Key>,
  security: AssociationSecurity<Key> | undefined,
  protection: RequestProtection,
  plain: Uint8Array,
): AuthenticateOutcome {
  const call = decodeHlsCall(plain);
  if (call === undefined) throw new RequestRefused("not-associated");
  const { mechanism } = standing;
  const answer =
    mechanism === undefined
      ? answerByGmac(device, standing, security, protection, call)
      : answerBy(mechanism, standing, security, call);
  return { response: encodeHlsResult(call, answer), authentic: answer !== undefined };
}

function answerBy<Key>(
  mechanism: HlsMechanism,
  { association, clientChallenge, serverChallenge, clientCertificate }: Authenticating<Key>,
  security: AssociationSecurity<Key> | undefined,
  { answer }: HlsCall,
): Uint8Array | undefined {
  const client = association.agreement.clientSystemTitle;
  const server = security?.setup.systemTitle;
  const theirs = {
    challenge: serverChallenge,
    ownChallenge: clientChallenge,
    ...titlesOf(mechanism, client, server),
    certificate: clientCertificate,
  };
  if (!mechanism.verify(theirs, answer)) return undefined;
  const ours = { challenge: clientChallenge, ownChallenge: serverChallenge, ...titlesOf(mechanism, server, client) };
  return mechanism.answer(ours);
}

/** The counter inside the answer is judged against the value before its carrier's, since it was drawn first. */
function answerByGmac<Key, State>(
  device: Device<Key, State>,
  standing: Authenticating<Key>,
  security: AssociationSecurity<Key> | undefined,
  protection: RequestProtection,
  { answer }: HlsCall,
): Uint8Array | undefined {
  if (security === undefined) throw new RequestRefused("not-associated");
  const { setup } = security;
  const { clientSystemTitle } = standing.association.agreement;
  const keys = keysFor(security, "global");
  // A carrier under the dedicated key has counters of its own and says nothing about these.
  const underGlobalKey = protection.form === "global" || protection.form === "general-global";
  const lowest = underGlobalKey ? protection.lowestBefore : setup.counters.lowestAcceptable();
  const verified =
    clientSystemTitle === undefined
      ? undefined
      : verifyGmacReply(device.ciphers, keys, clientSystemTitle, standing.serverChallenge, answer);
  if (verified === undefined || verified.counter < lowest) return undefined;
  if (verified.counter >= setup.counters.lowestAcceptable()) setup.counters.accept(verified.counter);
  const header = { suite: setup.suite, originator: setup.systemTitle, counter: setup.counters.next() };
  return gmacReply(device.ciphers, keys, header, standing.clientChallenge);
}

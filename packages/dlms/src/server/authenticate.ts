import { decode, encode } from "../codec/codec.ts";
import { AssociationLn } from "../cosem/classes/association-ln.ts";
import { logicalNameText } from "../cosem/logical-name.ts";
import { actionRequestNormal, actionResponseNormal, NORMAL } from "../cosem/normal-apdus.ts";
import { decodeForm, encodeForm } from "../cosem/service-octets.ts";
import { gmacReply, verifyGmacReply } from "../security/hls.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import { CURRENT_ASSOCIATION } from "./association-object.ts";
import type { AssociationSecurity, RequestProtection, Standing } from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import type { Device } from "./ports.ts";
import { keysFor } from "./protection.ts";

const { id: ASSOCIATION_CLASS, methods } = AssociationLn;
const { index: REPLY_METHOD, parameter: challengeReply } = methods.replyToHlsAuthentication;

type Authenticating<Key> = Extract<Standing<Key>, { kind: "authenticating" }>;

/** What the client's answer to our challenge led to. */
export interface AuthenticateOutcome {
  readonly response: Uint8Array;
  readonly authentic: boolean;
}

/**
 * Takes the client's answer to our challenge and answers its own (mechanism 5, passes 3 and 4; Green Book 9.2.2.2.2.4).
 *
 * The counter inside the answer is judged against the value before its carrier's, since it was drawn first.
 *
 * @throws RequestRefused for any other request: nothing else is served before both sides have proven themselves.
 */
export function authenticate<Key, State>(
  device: Device<Key, State>,
  standing: Authenticating<Key>,
  security: AssociationSecurity<Key>,
  protection: RequestProtection,
  plain: Uint8Array,
): AuthenticateOutcome {
  const { id, reply } = readReply(plain);
  const { setup } = security;
  const { clientSystemTitle } = standing.association.agreement;
  const keys = keysFor(security, "global");
  // A carrier under the dedicated key has counters of its own and says nothing about these.
  const underGlobalKey = protection.form === "global" || protection.form === "general-global";
  const lowest = underGlobalKey ? protection.lowestBefore : setup.counters.lowestAcceptable();
  const verified =
    clientSystemTitle === undefined
      ? undefined
      : verifyGmacReply(device.ciphers, keys, clientSystemTitle, standing.serverChallenge, reply);
  if (verified === undefined || verified.counter < lowest) return { response: refused(id), authentic: false };
  if (verified.counter >= setup.counters.lowestAcceptable()) setup.counters.accept(verified.counter);
  const header = { suite: setup.suite, originator: setup.systemTitle, counter: setup.counters.next() };
  const answer = gmacReply(device.ciphers, keys, header, standing.clientChallenge);
  const returned = { kind: "data", value: encode(challengeReply, answer) } as const;
  return { response: respond(id, { result: "success", returned }), authentic: true };
}

function readReply(plain: Uint8Array): { readonly id: InvokeIdAndPriority; readonly reply: Uint8Array } {
  const [tag, choice] = NORMAL.actionRequest;
  if (plain[0] !== tag || plain[1] !== choice) throw new RequestRefused("not-associated");
  const { invokeIdAndPriority, method, parameters } = decodeForm(actionRequestNormal, plain);
  const { classId, instanceId, methodId } = method;
  const isReply =
    classId === ASSOCIATION_CLASS && methodId === REPLY_METHOD && logicalNameText(instanceId) === CURRENT_ASSOCIATION;
  if (!isReply || parameters === undefined) throw new RequestRefused("not-associated");
  return { id: invokeIdAndPriority, reply: decode(challengeReply, parameters) };
}

function refused(id: InvokeIdAndPriority): Uint8Array {
  return respond(id, { result: "read-write-denied" });
}

type Outcome = Parameters<typeof actionResponseNormal.encode>[1]["outcome"];

function respond(invokeIdAndPriority: InvokeIdAndPriority, outcome: Outcome): Uint8Array {
  return encodeForm(NORMAL.actionResponse, actionResponseNormal, { invokeIdAndPriority, outcome });
}

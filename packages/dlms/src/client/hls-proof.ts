import { decode, encode } from "../codec/codec.ts";
import { AssociationLn } from "../cosem/classes/association-ln.ts";
import { logicalNameOctets } from "../cosem/logical-name.ts";
import { actionRequestNormal, actionResponseNormal, NORMAL } from "../cosem/normal-apdus.ts";
import { decodeForm, encodeForm } from "../cosem/service-octets.ts";
import { gmacReply, verifyGmacReply } from "../security/hls.ts";
import type { SystemTitle } from "../system-title.ts";
import type { ClientCiphering } from "./association-config.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";

const { id: classId, methods } = AssociationLn;
const { index: methodId, parameter: challengeReply } = methods.replyToHlsAuthentication;
const CURRENT_ASSOCIATION = logicalNameOctets("0.0.40.0.0.255");
const INVOKE_ID = { invokeId: 1, confirmed: true, highPriority: true } as const;

/** The plain ACTION that answers the server's challenge (mechanism 5, pass 3). */
export function buildProof<Key>(
  { ciphers, suite, encryptionKey, authenticationKey }: ClientCiphering<Key>,
  client: SystemTitle,
  counter: number,
  serverChallenge: Uint8Array,
): Uint8Array {
  const keys = { encryption: encryptionKey, authentication: authenticationKey };
  const reply = gmacReply(ciphers, keys, { suite, originator: client, counter }, serverChallenge);
  return encodeForm(NORMAL.actionRequest, actionRequestNormal, {
    invokeIdAndPriority: INVOKE_ID,
    method: { classId, instanceId: CURRENT_ASSOCIATION, methodId },
    parameters: encode(challengeReply, reply),
  });
}

/**
 * Checks the server's answer to our challenge (pass 4) and gives the counter inside.
 *
 * @throws SessionError `server-not-authentic` when it is not the answer, `action-refused` when the server does not
 * believe ours.
 */
export function readProof<Key>(
  { ciphers, encryptionKey, authenticationKey }: ClientCiphering<Key>,
  server: SystemTitle,
  clientChallenge: Uint8Array,
  plain: Uint8Array,
): number {
  const refusal = refusalOf(plain);
  if (refusal !== undefined) throw refusal;
  const [tag, choice] = NORMAL.actionResponse;
  if (plain[0] !== tag || plain[1] !== choice)
    throw new SessionError("unexpected-response", "the server does not answer the authentication");
  const { result, returned } = decodeForm(actionResponseNormal, plain).outcome;
  if (result !== "success")
    throw new SessionError("action-refused", `the server does not accept our proof: ${result}`, {
      reason: String(result),
    });
  const reply = returned?.kind === "data" ? decode(challengeReply, returned.value) : undefined;
  const keys = { encryption: encryptionKey, authentication: authenticationKey };
  const verified = reply && verifyGmacReply(ciphers, keys, server, clientChallenge, reply);
  if (verified === undefined)
    throw new SessionError("server-not-authentic", "the server's answer to our challenge does not prove its keys");
  return verified.counter;
}

import { plainIn } from "./opened.ts";

const ASSOCIATION_CLASS = 15;
const GMAC_PROOF_BYTES = 17;
/** Shorter answers are hashes, which have no counter and nothing random. */
const SHORTEST_SIGNATURE_BYTES = 64;

/**
 * The counter inside a client's or server's answer to a challenge under mechanism 5; "signature" for mechanism 7;
 * undefined for everything else.
 */
export function proofCounter(inner: Uint8Array | undefined): number | "signature" | undefined {
  const answer = proofIn(inner);
  if (answer === undefined) return undefined;
  if (answer.length >= SHORTEST_SIGNATURE_BYTES) return "signature";
  if (answer.length !== GMAC_PROOF_BYTES) return undefined;
  return new DataView(answer.buffer, answer.byteOffset).getUint32(1);
}

/** The answer to a challenge in a plain APDU. */
export function proofIn(inner: Uint8Array | undefined): Uint8Array | undefined {
  const apdu = plainIn(inner);
  if (apdu?.kind === "action-request" && apdu.value.kind === "normal") {
    const { method, parameters } = apdu.value.value;
    const isReply = method.classId === ASSOCIATION_CLASS && method.methodId === 1;
    return isReply && parameters?.type === "octet-string" ? parameters.value : undefined;
  }
  if (apdu?.kind === "action-response" && apdu.value.kind === "normal") {
    const { returned } = apdu.value.value.outcome;
    return returned?.kind === "data" && returned.value.type === "octet-string" ? returned.value.value : undefined;
  }
  return undefined;
}

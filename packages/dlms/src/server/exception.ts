import { encode } from "../codec/codec.ts";
import { type ExceptionResponse, exceptionResponse } from "../xdlms/service-error.ts";
import type { RefusedRequest } from "./ports.ts";

const EXCEPTION_TAG = 0xd8;

// Everything that a stranger could learn from is answered alike: wrong key, wrong tag, wrong client, too weak a
// protection. That a counter was too low is only said to who has proven to hold the keys.
const ANSWERS: Readonly<Record<Exclude<RefusedRequest, "counter-too-low">, ExceptionResponse>> = {
  "not-associated": { stateError: "service-not-allowed", serviceError: { kind: "operation-not-possible" } },
  "locked-out": { stateError: "service-not-allowed", serviceError: { kind: "operation-not-possible" } },
  "not-authentic": { stateError: "service-not-allowed", serviceError: { kind: "deciphering-error" } },
  "not-protected-enough": { stateError: "service-not-allowed", serviceError: { kind: "deciphering-error" } },
  "keys-changed": { stateError: "service-not-allowed", serviceError: { kind: "deciphering-error" } },
  "not-decodable": { stateError: "service-unknown", serviceError: { kind: "operation-not-possible" } },
  failed: { stateError: "service-not-allowed", serviceError: { kind: "operation-not-possible" } },
  "too-long": { stateError: "service-not-allowed", serviceError: { kind: "pdu-too-long" } },
  "not-supported": { stateError: "service-unknown", serviceError: { kind: "service-not-supported" } },
};

/** Says why a request as a whole is refused: the server answers it with an exception-response. */
export class RequestRefused extends Error {
  readonly reason: RefusedRequest;
  readonly lowestAcceptable: number;

  constructor(reason: RefusedRequest, lowestAcceptable = 0, cause?: unknown) {
    super(reason, { cause });
    this.name = "RequestRefused";
    this.reason = reason;
    this.lowestAcceptable = lowestAcceptable;
  }
}

/** The exception-response for a refused request (Green Book 9.4.2.2). */
export function exceptionFor({ reason, lowestAcceptable }: RequestRefused): Uint8Array {
  const answer: ExceptionResponse =
    reason === "counter-too-low"
      ? {
          stateError: "service-not-allowed",
          serviceError: { kind: "invocation-counter-error", value: lowestAcceptable },
        }
      : ANSWERS[reason];
  const body = encode(exceptionResponse, answer);
  const octets = new Uint8Array(1 + body.length);
  octets[0] = EXCEPTION_TAG;
  octets.set(body, 1);
  return octets;
}

import { decode } from "../codec/codec.ts";
import { DecodeError } from "../errors.ts";
import { apdu as anyApdu } from "../xdlms/apdu.ts";
import { SessionError } from "./session-error.ts";

const EXCEPTION_RESPONSE_TAG = 0xd8;
const CONFIRMED_SERVICE_ERROR_TAG = 0x0e;

/** The error behind an exception-response or a confirmed-service-error; undefined when the APDU is neither. */
export function refusalOf(apdu: Uint8Array): SessionError | undefined {
  if (apdu[0] !== EXCEPTION_RESPONSE_TAG && apdu[0] !== CONFIRMED_SERVICE_ERROR_TAG) return undefined;
  const refusal = decodeOrUnexpected(apdu);
  if (refusal instanceof SessionError) return refusal;
  if (refusal.kind === "exception-response") {
    const { stateError, serviceError } = refusal.value;
    const reason = `${stateError}/${serviceError.kind}`;
    if (serviceError.kind === "invocation-counter-error")
      return new SessionError(
        "invocation-counter-error",
        `the server expects invocation counter ${serviceError.value}`,
        {
          reason,
          expectedInvocationCounter: serviceError.value,
        },
      );
    return new SessionError("exception-response", `the server refuses the request: ${reason}`, { reason });
  }
  if (refusal.kind === "confirmed-service-error") {
    const { kind, value } = refusal.value;
    const reason = `${kind}/${value.kind}/${value.value}`;
    return new SessionError("service-error", `the server reports ${reason}`, { reason });
  }
  return undefined;
}

function decodeOrUnexpected(apdu: Uint8Array) {
  try {
    return decode(anyApdu, apdu);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    return new SessionError(
      "unexpected-response",
      `the server refuses in a way that is not understood: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

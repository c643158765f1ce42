import { HTTP_PROBLEMS, type HttpProblemCode, type Problem } from "@meterkeep/api";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { HeadEndError, type HeadEndErrorCode } from "@meterkeep/headend";

/** An error that is answered as it is: its code is one of the API's. */
export class ProblemError extends Error {
  readonly code: HttpProblemCode;

  constructor(code: HttpProblemCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ProblemError";
    this.code = code;
  }
}

/** What errors of the head-end are to a caller of the API. What is not listed is an `internal-error`. */
const HEADEND_PROBLEMS: Partial<Readonly<Record<HeadEndErrorCode, HttpProblemCode>>> = {
  "meter-unknown": "meter-unknown",
  "meter-exists": "meter-exists",
  "sealed-keys-refused": "meter-refused",
  "gateway-address-invalid": "body-invalid",
  "gateway-address-refused": "gateway-refused",
  "sign-in-refused": "sign-in-refused",
  "person-unknown": "person-unknown",
  "person-exists": "person-exists",
  "person-last": "person-last",
  "roles-apart": "roles-apart",
  "drill-not-simulated": "drill-real-meters",
  "operation-invalid": "body-invalid",
  "selection-empty": "body-invalid",
  "campaign-unknown": "campaign-unknown",
  "campaign-not-so": "campaign-not-so",
  "dispute-unknown": "dispute-unknown",
  "dispute-changed": "dispute-changed",
  "quarantine-unknown": "quarantine-unknown",
  "group-unknown": "group-unknown",
  "quarantine-not-releasable": "quarantine-not-releasable",
  "same-person": "same-person",
};

const FASTIFY_PROBLEMS: Readonly<Record<string, HttpProblemCode>> = {
  FST_ERR_VALIDATION: "body-invalid",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "media-type-unsupported",
  FST_ERR_CTP_EMPTY_JSON_BODY: "body-invalid",
  FST_ERR_CTP_INVALID_JSON_BODY: "body-invalid",
  FST_ERR_CTP_BODY_TOO_LARGE: "body-too-large",
};

/**
 * The problem that an error is to the caller. Only errors that were made to be read say their own words; anything else
 * is `internal-error` and its words stay in the log.
 */
export function problemOf(error: unknown, requestId: string): Problem {
  const { code, detail } = classify(error);
  const { status, title } = HTTP_PROBLEMS[code];
  return { type: `/api/docs#problem-${code}`, title, status, code, detail, instance: `request:${requestId}` };
}

function classify(error: unknown): { readonly code: HttpProblemCode; readonly detail: string } {
  if (error instanceof ProblemError) return { code: error.code, detail: error.message };
  if (error instanceof HeadEndError) {
    const code = HEADEND_PROBLEMS[error.code];
    if (code !== undefined) return { code, detail: error.message };
  }
  if (error instanceof CustodianCallError)
    return { code: "custodian-unavailable", detail: `the custodian did not do it: ${error.code}` };
  if (typeof error !== "object" || error === null) return INTERNAL;
  const { code: name, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = name === undefined ? undefined : FASTIFY_PROBLEMS[name];
  if (known !== undefined) return { code: known, detail: message ?? HTTP_PROBLEMS[known].title };
  if (statusCode === 429) return { code: "rate-limited", detail: "wait a minute and try again" };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { code: statusCode === 404 ? "not-found" : "body-invalid", detail: message ?? "" };
  return INTERNAL;
}

const INTERNAL = {
  code: "internal-error",
  detail: "the reason is in the server's log, under the request's id",
} as const;

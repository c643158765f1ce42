/** RFC 9457 problem details: what every error of the HTTP API looks like. */
import { type Static, Type } from "typebox";

/** Every `code` that the HTTP API answers with; docs/errors.md explains each one. */
export const HTTP_PROBLEM_CODES = [
  "body-invalid",
  "sign-in-required",
  "sign-in-refused",
  "origin-refused",
  "not-allowed",
  "scope-missing",
  "not-found",
  "meter-unknown",
  "session-unknown",
  "evidence-unknown",
  "drill-unknown",
  "authority-unknown",
  "method-not-allowed",
  "meter-exists",
  "drill-running",
  "body-too-large",
  "media-type-unsupported",
  "host-refused",
  "meter-refused",
  "gateway-refused",
  "drill-real-meters",
  "rate-limited",
  "internal-error",
  "custodian-unavailable",
  "supervisor-unavailable",
  "too-many-streams",
  "too-many-exports",
] as const;
export type HttpProblemCode = (typeof HTTP_PROBLEM_CODES)[number];

/** Status and title of every problem. */
export const HTTP_PROBLEMS = {
  "body-invalid": { status: 400, title: "The request is not as the schema says" },
  "sign-in-required": { status: 401, title: "Sign in first" },
  "sign-in-refused": { status: 401, title: "This sign-in is not valid" },
  "origin-refused": { status: 403, title: "The request came from another site" },
  "not-allowed": { status: 403, title: "This login may not do that" },
  "scope-missing": { status: 403, title: "This token does not reach that far" },
  "not-found": { status: 404, title: "There is nothing here" },
  "meter-unknown": { status: 404, title: "No such meter" },
  "session-unknown": { status: 404, title: "No such session" },
  "evidence-unknown": { status: 404, title: "No such evidence" },
  "drill-unknown": { status: 404, title: "No such drill" },
  "authority-unknown": { status: 404, title: "No such authority" },
  "method-not-allowed": { status: 405, title: "Not with this method" },
  "meter-exists": { status: 409, title: "This meter is already known" },
  "drill-running": { status: 409, title: "A drill is running" },
  "body-too-large": { status: 413, title: "The request is too large" },
  "media-type-unsupported": { status: 415, title: "Send JSON" },
  "host-refused": { status: 421, title: "This server does not answer to that name" },
  "meter-refused": { status: 422, title: "The custodian refused the keys" },
  "gateway-refused": { status: 422, title: "This address may not be listened to" },
  "drill-real-meters": { status: 422, title: "A drill only targets simulated meters" },
  "rate-limited": { status: 429, title: "Too many attempts" },
  "internal-error": { status: 500, title: "Something went wrong here" },
  "custodian-unavailable": { status: 503, title: "The custodian does not answer" },
  "supervisor-unavailable": { status: 503, title: "The supervisor does not answer" },
  "too-many-streams": { status: 503, title: "Too many event streams are open" },
  "too-many-exports": { status: 503, title: "Too many exports are running" },
} as const satisfies Readonly<Record<HttpProblemCode, { readonly status: number; readonly title: string }>>;

export const Problem = Type.Object(
  {
    type: Type.String({ description: "A URI reference that names the kind of problem" }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: "Stable word for programs; listed in docs/errors.md" }),
    detail: Type.String({ description: "What happened here, and what to do" }),
    instance: Type.String({ description: "Id of the request, as in the server's log" }),
  },
  { description: "RFC 9457 problem details" },
);
export type Problem = Static<typeof Problem>;

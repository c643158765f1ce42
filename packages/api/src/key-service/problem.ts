/** RFC 9457 problem details of the key service: what every refused request looks like. */
import { type Static, Type } from "typebox";

/** Every `code` of a refused request; docs/errors.md explains each one. */
export const KEY_SERVICE_PROBLEM_CODES = [
  "body-invalid",
  "not-found",
  "method-not-allowed",
  "body-too-large",
  "media-type-unsupported",
  "head-end-not-enrolled",
  "rate-limited",
  "custodian-closing",
  "ledger-halted",
  "internal-error",
] as const;
export type KeyServiceProblemCode = (typeof KEY_SERVICE_PROBLEM_CODES)[number];

/** Status and title of every problem. */
export const KEY_SERVICE_PROBLEMS = {
  "body-invalid": { status: 400, title: "The request is not as the schema says" },
  "head-end-not-enrolled": { status: 403, title: "This certificate is enrolled no more" },
  "not-found": { status: 404, title: "There is nothing here" },
  "method-not-allowed": { status: 405, title: "Not with this method" },
  "body-too-large": { status: 413, title: "The request is too large" },
  "media-type-unsupported": { status: 415, title: "Send JSON" },
  "rate-limited": { status: 429, title: "More than this head-end may ask" },
  "internal-error": { status: 500, title: "The custodian could not do this" },
  "custodian-closing": { status: 503, title: "The custodian is closing" },
  "ledger-halted": { status: 503, title: "The custodian uses no key now" },
} as const satisfies Readonly<Record<KeyServiceProblemCode, { readonly status: number; readonly title: string }>>;

export const KeyServiceProblem = Type.Object(
  {
    type: Type.String({ description: "A URI reference that names the kind of problem" }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Enum([...KEY_SERVICE_PROBLEM_CODES], {
      type: "string",
      description: "Stable word for programs; listed in docs/errors.md",
    }),
    detail: Type.String({ description: "What happened here, and what to do" }),
  },
  { description: "RFC 9457 problem details" },
);
export type KeyServiceProblem = Static<typeof KeyServiceProblem>;

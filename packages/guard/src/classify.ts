import { type Apdu, apdu, DecodeError, decode } from "@meterkeep/dlms";
import { EFFECTS, type Effect, effectOf, holdsSecret } from "./effect.ts";

/** Why an APDU is never sealed, with or without a token. */
export const GUARD_REFUSAL_CODES = [
  "not-decodable",
  "already-protected",
  "not-a-request",
  "request-in-blocks",
  "service-not-offered",
  "made-by-custodian-only",
] as const;
export type GuardRefusalCode = (typeof GUARD_REFUSAL_CODES)[number];

/** What one attribute or method in a request would do. */
export interface Act {
  readonly effect: Effect;
  /** One line for people: `calls remote_disconnect (class 70) of 0-0:96.3.10.255`. */
  readonly summary: string;
}

/** The judgement over one whole plain APDU. */
export type Verdict =
  /** Harmless: it may be sealed without a token. */
  | { readonly kind: "allowed"; readonly acts: readonly Act[] }
  /** It does something: `gravest` decides which token it takes. */
  | { readonly kind: "needs-token"; readonly gravest: Act; readonly acts: readonly Act[] }
  | { readonly kind: "refused"; readonly code: GuardRefusalCode; readonly message: string };

/** More attributes or methods than this in one request are not asked for by anybody honest. */
const MAX_LISTED = 256;

/**
 * Decodes an outgoing APDU with the library that the meter's own decoder is modelled on, and says what it would do.
 *
 * It denies by default: what does not decode to the last octet, what comes in blocks (its effect shows only when it is
 * whole), what is protected already, and every service without a rule here is refused. Only reading is allowed as such.
 */
export function classify(octets: Uint8Array): Verdict {
  let request: Apdu;
  try {
    request = decode(apdu, octets);
  } catch (error) {
    if (error instanceof DecodeError) return refused("not-decodable", error.message);
    throw error;
  }
  switch (request.kind) {
    case "get-request":
      return judge(readActs(request.value));
    case "set-request":
      switch (request.value.kind) {
        case "normal":
          return judge([setAct(request.value.value.attribute)]);
        case "with-list":
          return request.value.value.attributes.length === request.value.value.values.length
            ? judge(request.value.value.attributes.map(({ attribute }) => setAct(attribute)))
            : refused("not-decodable", "a list of values that is not as long as that of attributes");
        default:
          return inBlocks(request.value.kind);
      }
    case "action-request":
      switch (request.value.kind) {
        case "normal":
          return judgeCalls([request.value.value.method]);
        case "with-list":
          return request.value.value.methods.length === request.value.value.parameters.length
            ? judgeCalls(request.value.value.methods)
            : refused("not-decodable", "a list of parameters that is not as long as that of methods");
        case "next-pblock":
          return judge([{ effect: "read", summary: "asks for the next block of an answer" }]);
        default:
          return inBlocks(request.value.kind);
      }
    case "access-request":
    case "general-block-transfer":
    case "read-request":
    case "write-request":
    case "unconfirmed-write-request":
      return refused("service-not-offered", `${request.kind} is not sealed`);
    case "initiate-request":
      return refused("made-by-custodian-only", "associations are made by the custodian");
    default:
      return /^(glo|ded|general)-/.test(request.kind)
        ? refused("already-protected", `${request.kind} is protected already; its content cannot be judged`)
        : refused("not-a-request", `${request.kind} is not a request of a client`);
  }
}

type GetRequest = Extract<Apdu, { kind: "get-request" }>["value"];
type Target = { readonly classId: number; readonly instanceId: Uint8Array };

function readActs(request: GetRequest): Act[] {
  switch (request.kind) {
    case "normal":
      return [readAct(request.value.attribute)];
    case "with-list":
      return request.value.attributes.map(({ attribute }) => readAct(attribute));
    case "next":
      return [{ effect: "read", summary: `asks for block ${request.value.blockNumber + 1}` }];
    default:
      return request satisfies never;
  }
}

function readAct(attribute: Target & { readonly attributeId: number }): Act {
  const effect = holdsSecret(attribute.classId, attribute.attributeId) ? "key" : "read";
  return { effect, summary: `reads attribute ${attribute.attributeId} of ${objectText(attribute)}` };
}

function setAct(attribute: Target & { readonly attributeId: number }): Act {
  const { effect, name } = effectOf({ ...attribute, attribute: attribute.attributeId });
  return { effect, summary: `sets attribute ${attribute.attributeId} of ${objectText(attribute)} (${name})` };
}

function judgeCalls(methods: readonly (Target & { readonly methodId: number })[]): Verdict {
  if (methods.some(({ classId, methodId }) => classId === 15 && methodId === 1))
    return refused(
      "made-by-custodian-only",
      "answers to challenges (reply_to_HLS_authentication) are made by the custodian",
    );
  return judge(
    methods.map((method) => {
      const { effect, name } = effectOf({ ...method, method: method.methodId });
      return { effect, summary: `calls method ${method.methodId} of ${objectText(method)} (${name})` };
    }),
  );
}

function judge(acts: readonly Act[]): Verdict {
  if (acts.length === 0 || acts.length > MAX_LISTED)
    return refused("not-decodable", `a list of ${acts.length} items; 1 to ${MAX_LISTED} are sealed`);
  const gravest = acts.reduce((worst, act) => (classOf(act) > classOf(worst) ? act : worst));
  return gravest.effect === "read" ? { kind: "allowed", acts } : { kind: "needs-token", gravest, acts };
}

function classOf(act: Act): string {
  return EFFECTS[act.effect].class;
}

function inBlocks(form: string): Verdict {
  return refused("request-in-blocks", `${form}: a request is judged whole, hand it in undivided`);
}

function refused(code: GuardRefusalCode, message: string): Verdict {
  return { kind: "refused", code, message };
}

function objectText({ classId, instanceId }: Target): string {
  const [a, b, c, d, e, f] = instanceId;
  return `class ${classId} at ${a}-${b}:${c}.${d}.${e}.${f}`;
}

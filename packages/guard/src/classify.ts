import { type Apdu, apdu, type Data, DecodeError, data, decode, encode } from "@meterkeep/dlms";
import { EFFECTS, type Effect, effectOf, effectOfCall, holdsSecret } from "./effect.ts";

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

/** One act that a request asks for, all of it. */
export interface AskedAct extends Act {
  readonly service: "get" | "set" | "action";
  readonly classId: number;
  /** Six octets. */
  readonly instanceId: Uint8Array;
  /** The number of the attribute or method. */
  readonly member: number;
  /** The value set or the parameters, as encoded Data; undefined where there are none. */
  readonly value: Uint8Array | undefined;
  /** Whether only a part of the attribute is meant. */
  readonly hasSelection: boolean;
}

/** The judgement over one whole plain APDU. */
export type Verdict =
  /** Harmless: it may be sealed without a token. */
  | { readonly kind: "allowed" }
  /** It does something: `gravest` decides which token it takes. */
  | {
      readonly kind: "needs-token";
      readonly gravest: Act;
      readonly acts: readonly AskedAct[];
      /** Whether the meter is asked to answer. */
      readonly confirmed: boolean;
    }
  | { readonly kind: "refused"; readonly code: GuardRefusalCode; readonly message: string };

const ALLOWED: Verdict = { kind: "allowed" };
/** It goes on with what was judged when it began. */
const GOES_ON = ALLOWED;

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
      return request.value.kind === "next" ? GOES_ON : judgeReads(request.value);
    case "set-request":
      switch (request.value.kind) {
        case "normal": {
          const { attribute, access, value, invokeIdAndPriority } = request.value.value;
          return judge(invokeIdAndPriority.confirmed, [setAct(attribute, access !== undefined, value)]);
        }
        case "with-list": {
          const { attributes, values, invokeIdAndPriority } = request.value.value;
          return attributes.length === values.length
            ? judge(
                invokeIdAndPriority.confirmed,
                attributes.map(({ attribute, access }, at) => setAct(attribute, access !== undefined, values[at])),
              )
            : refused("not-decodable", "a list of values that is not as long as that of attributes");
        }
        default:
          return inBlocks(request.value.kind);
      }
    case "action-request":
      switch (request.value.kind) {
        case "normal": {
          const { method, parameters, invokeIdAndPriority } = request.value.value;
          return judgeCalls(invokeIdAndPriority.confirmed, [method], [parameters]);
        }
        case "with-list": {
          const { methods, parameters, invokeIdAndPriority } = request.value.value;
          return methods.length === parameters.length
            ? judgeCalls(invokeIdAndPriority.confirmed, methods, parameters)
            : refused("not-decodable", "a list of parameters that is not as long as that of methods");
        }
        case "next-pblock":
          return GOES_ON;
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

type GetRequest = Exclude<Extract<Apdu, { kind: "get-request" }>["value"], { kind: "next" }>;
type Target = { readonly classId: number; readonly instanceId: Uint8Array };
type Attribute = Target & { readonly attributeId: number };
type Method = Target & { readonly methodId: number };

/** Reading is nearly all that is asked: what is harmless needs nothing said about it. */
function judgeReads(request: GetRequest): Verdict {
  const { invokeIdAndPriority } = request.value;
  const asked = request.kind === "normal" ? [request.value] : request.value.attributes;
  const isHarmless = asked.every(({ attribute }) => !holdsSecret(attribute.classId, attribute.attributeId));
  return isHarmless && isSealable(asked.length)
    ? ALLOWED
    : judge(
        invokeIdAndPriority.confirmed,
        asked.map(({ attribute, access }) => readAct(attribute, access !== undefined)),
      );
}

function readAct(attribute: Attribute, hasSelection: boolean): AskedAct {
  const { classId, instanceId, attributeId: member } = attribute;
  return {
    effect: holdsSecret(classId, member) ? "key" : "read",
    summary: `reads attribute ${member} of ${objectText(attribute)}`,
    service: "get",
    classId,
    instanceId,
    member,
    value: undefined,
    hasSelection,
  };
}

function setAct(attribute: Attribute, hasSelection: boolean, value: Data | undefined): AskedAct {
  const { classId, instanceId, attributeId: member } = attribute;
  const { effect, name } = effectOf({ classId, instanceId, attribute: member });
  return {
    effect,
    summary: `sets attribute ${member} of ${objectText(attribute)} (${name})`,
    service: "set",
    classId,
    instanceId,
    member,
    value: octetsOf(value),
    hasSelection,
  };
}

function callAct(method: Method, parameters: Data | undefined): AskedAct {
  const { classId, instanceId, methodId: member } = method;
  const { effect, name } = effectOfCall({ classId, instanceId, method: member }, parameters);
  return {
    effect,
    summary: `calls method ${member} of ${objectText(method)} (${name})`,
    service: "action",
    classId,
    instanceId,
    member,
    value: octetsOf(parameters),
    hasSelection: false,
  };
}

/** Encoded anew, so that two spellings of one value are one. */
function octetsOf(value: Data | undefined): Uint8Array | undefined {
  return value && encode(data, value);
}

function judgeCalls(
  confirmed: boolean,
  methods: readonly Method[],
  parameters: readonly (Data | undefined)[],
): Verdict {
  if (methods.some(({ classId, methodId }) => classId === 15 && methodId === 1))
    return refused(
      "made-by-custodian-only",
      "answers to challenges (reply_to_HLS_authentication) are made by the custodian",
    );
  return judge(
    confirmed,
    methods.map((method, at) => callAct(method, parameters[at])),
  );
}

function judge(confirmed: boolean, acts: readonly AskedAct[]): Verdict {
  if (!isSealable(acts.length))
    return refused("not-decodable", `a list of ${acts.length} items; 1 to ${MAX_LISTED} are sealed`);
  const gravest = acts.reduce((worst, act) => (classOf(act) > classOf(worst) ? act : worst));
  return gravest.effect === "read" ? ALLOWED : { kind: "needs-token", gravest, acts, confirmed };
}

function isSealable(listed: number): boolean {
  return listed > 0 && listed <= MAX_LISTED;
}

function classOf(act: Act): string {
  return EFFECTS[act.effect].class;
}

function inBlocks(form: string): Verdict {
  return refused(
    "request-in-blocks",
    `${form}: a request is judged whole: hand it in undivided, and send long ones by general block transfer`,
  );
}

function refused(code: GuardRefusalCode, message: string): Verdict {
  return { kind: "refused", code, message };
}

function objectText({ classId, instanceId }: Target): string {
  const [a, b, c, d, e, f] = instanceId;
  return `class ${classId} at ${a}-${b}:${c}.${d}.${e}.${f}`;
}

/** What goes in and out of the key service: lists of items, lists of results in the same order. Never a key. */
import { type Static, type TObject, type TProperties, type TSchema, Type } from "typebox";
import { CUSTODIAN_CALL_ERROR_CODES } from "../custodian/frame.ts";
import { HEAD_END_PURPOSES } from "../custodian/head-end-purposes.ts";
import { PUSH_REFUSAL_CODES } from "../custodian/push.ts";
import {
  ASSOCIATION_REFUSAL_CODES,
  MAX_BATCH,
  OPEN_REFUSAL_CODES,
  SEAL_REFUSAL_CODES,
  SESSION_OUTCOMES,
  SESSION_PURPOSES,
} from "../custodian/session.ts";
import { SystemTitleText, words } from "../http/scalars.ts";

/** How octets are written: two hex digits an octet, or base64 with padding. */
export const OCTET_FORMS = ["hex", "base64"] as const;
export type OctetForm = (typeof OCTET_FORMS)[number];

/** The longest APDU that a wrapper frame can carry, and a command token, in characters of hex. */
const MOST_CHARACTERS = 2 * 65_535;

const octets = (description: string) => Type.String({ description, maxLength: MOST_CHARACTERS });
const Apdu = octets("A whole APDU, as octets");
const SessionName = Type.String({
  pattern: "^[0-9a-f]{24}$",
  description: "A session of this head-end's, as `POST /v1/sessions` named it",
});
const Detail = Type.String({ description: "For people: what was refused, and what to do" });

const strict = <P extends TProperties>(properties: P, description?: string): TObject<P> =>
  Type.Object(properties, { additionalProperties: false, ...(description !== undefined && { description }) });

const result = <K extends string, P extends TProperties>(kind: K, properties: P) =>
  Type.Object({ kind: Type.Literal(kind), ...properties });

/** A request: items, and how their octets are written. */
export function items<T extends TSchema>(item: T) {
  return strict({
    items: Type.Array(item, { minItems: 1, maxItems: MAX_BATCH }),
    octets: Type.Optional(words(OCTET_FORMS, "How octets are written in request and response; hex unless given")),
  });
}

/** A response: a result for each item, in their order. */
export function results<T extends TSchema[]>(...kinds: [...T]) {
  return Type.Object({ results: Type.Array(Type.Union(kinds)) });
}

/** An item that was refused as a call of its own would have been. */
export const RefusedCall = result("refused", { code: words(CUSTODIAN_CALL_ERROR_CODES), detail: Detail });

export const OpenSessionItem = strict({
  meter: SystemTitleText,
  purpose: words(SESSION_PURPOSES, "read: nothing that needs a command token is sealed; configure: with tokens it is"),
  ciphering: Type.Optional(
    words(
      ["global", "dedicated"],
      "dedicated: a fresh key for this association, made here, travels in the AARQ; global unless given",
    ),
  ),
});
export const OpenedSession = result("opened", {
  session: SessionName,
  clientSap: Type.Integer({ description: "Client address for the wrapper or HDLC" }),
  serverSap: Type.Integer({ description: "Logical device for the wrapper or HDLC" }),
  apdu: octets("The AARQ, to be sent to the meter as it is"),
});

export const AssociateItem = strict({ session: SessionName, apdu: octets("What the meter answered") });
export const AssociateSend = result("send", { apdu: octets("The next APDU for the meter") });
export const AssociateEstablished = result("established", {
  conformance: Type.Array(Type.String(), { description: "Services the meter offers" }),
  maxReceivePduSize: Type.Integer({ description: "The longest APDU the meter takes, in octets; 0 is no limit" }),
});
export const AssociateFailed = result("failed", { code: words(ASSOCIATION_REFUSAL_CODES), detail: Detail });

export const SealItem = strict({
  session: SessionName,
  apdu: octets("A whole plain xDLMS request"),
  token: Type.Optional(octets("The command token for what does more than read")),
});
export const Sealed = result("sealed", { apdu: octets("The protected APDU, to be sent as it is") });
export const SealRefused = result("refused", {
  code: words([...SEAL_REFUSAL_CODES, ...CUSTODIAN_CALL_ERROR_CODES]),
  effect: Type.Optional(Type.String({ description: "What the request would have done" })),
  detail: Detail,
});

export const OpenItem = strict({ session: SessionName, apdu: octets("What the meter answered") });
export const Opened = result("opened", {
  apdu: Apdu,
  authenticated: Type.Boolean({
    description: "False: anybody could have made it; only an exception-response passes so",
  }),
  encrypted: Type.Boolean(),
  counter: Type.Integer({ description: "Invocation counter of the meter" }),
});
export const OpenRefused = result("refused", {
  code: words([...OPEN_REFUSAL_CODES, ...CUSTODIAN_CALL_ERROR_CODES]),
  detail: Type.Optional(Detail),
});

export const SessionItem = strict({ session: SessionName });
export const CloseItem = strict({ session: SessionName, outcome: words(SESSION_OUTCOMES) });
export const Closed = result("closed", {});

export const VerifyItem = strict({ apdu: octets("A push, as it came"), transport: words(["tcp", "udp"]) });
export const Verified = result("verified", {
  meter: SystemTitleText,
  apdu: octets("The data-notification in clear"),
  authenticated: Type.Boolean({ description: "False: confidential only, it could have been altered on the way" }),
  encrypted: Type.Boolean(),
  counter: Type.Integer(),
});
export const VerifyRefused = result("refused", {
  code: words(PUSH_REFUSAL_CODES),
  meter: Type.Optional(SystemTitleText),
});

/** What a head-end may do with meters, and where. */
export const HeadEndGrantView = Type.Object({
  purposes: Type.Array(words(HEAD_END_PURPOSES)),
  utility: Type.String(),
  islands: Type.Array(Type.String(), { description: "Empty: all of the utility" }),
  meters: Type.Array(Type.Object({ from: SystemTitleText, to: SystemTitleText }), {
    description: "Ranges of system titles, both ends included; empty: all",
  }),
});

export const HeadEndLimitsView = Type.Object({
  itemsPerSecond: Type.Integer({ description: "What comes back of the allowance each second" }),
  itemsBurst: Type.Integer({ description: "Items at once" }),
  batch: Type.Integer({ description: "Items of one request" }),
  sessions: Type.Integer({ description: "Sessions open at a time" }),
  connections: Type.Integer(),
});

export const Self = Type.Object({
  name: Type.String(),
  principal: Type.String({ description: "The name that stands in the ledger" }),
  grants: Type.Array(HeadEndGrantView),
  limits: HeadEndLimitsView,
});
export type Self = Static<typeof Self>;

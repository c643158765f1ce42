import type { Infer } from "../../codec/codec.ts";
import { TokenGateway } from "../../cosem/classes/token-gateway.ts";
import { refuse } from "../../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../../cosem/served.ts";
import { type BitString, bitString } from "../../data/bit-string.ts";
import { type DateTime, dateTime } from "../../data/date-time.ts";

type Attributes = typeof TokenGateway.attributes;
type StatusCode = Exclude<Infer<Attributes["tokenStatus"]["codec"]>["statusCode"], number>;
type DeliveryMethod = Exclude<Infer<Attributes["tokenDeliveryMethod"]["codec"]>, number>;

/** What became of a token: executed, or at which step it failed; `dataValue` is what its specification says of that. */
export interface TokenOutcome {
  readonly statusCode: Extract<
    StatusCode,
    "executionOk" | "formatFailure" | "authenticationFailure" | "validationFailure" | "executionFailure"
  >;
  readonly dataValue?: BitString;
  readonly description?: readonly Uint8Array[];
}

/** What a token gateway is put together from. */
export interface TokenEntryParts {
  /** Checks a token, of IEC 62055-41 or another specification, and does what it says: once, however often it is entered. */
  readonly process: (token: Uint8Array) => TokenOutcome;
  /** The meter's local time now. */
  readonly localTime: () => DateTime;
}

const NONE = bitString("");

/** A token gateway (class 115): takes tokens and shows what became of the last one (Blue Book 4.6.5). */
export class TokenEntry {
  readonly #parts: TokenEntryParts;
  #token: Uint8Array = new Uint8Array(0);
  #time: DateTime = dateTime({});
  #method: DeliveryMethod = "remote";
  #description: readonly Uint8Array[] = [];
  #status: { readonly statusCode: StatusCode; readonly dataValue: BitString } = {
    statusCode: "received",
    dataValue: NONE,
  };

  constructor(parts: TokenEntryParts) {
    this.#parts = parts;
  }

  get last() {
    return {
      token: this.#token,
      time: this.#time,
      method: this.#method,
      description: this.#description,
      status: this.#status,
    } as const;
  }

  /** enter: by a client, at a local interface, or at the meter's own keys. False where the token was not executed. */
  enter(token: Uint8Array, method: DeliveryMethod): boolean {
    this.#token = token.slice();
    this.#time = this.#parts.localTime();
    this.#method = method;
    const { statusCode, dataValue = NONE, description = [] } = this.#parts.process(this.#token);
    this.#status = { statusCode, dataValue };
    this.#description = description;
    return statusCode === "executionOk";
  }
}

/** Serves class 115 from the token gateway of a meter. */
export function serveTokenGateway<State>(
  entryOf: (state: State, context: ServeContext) => TokenEntry,
): ServedClass<State> {
  return TokenGateway.serve<State>({
    get: {
      token: (state, context) => entryOf(state, context).last.token,
      tokenTime: (state, context) => entryOf(state, context).last.time,
      tokenDescription: (state, context) => entryOf(state, context).last.description,
      tokenDeliveryMethod: (state, context) => entryOf(state, context).last.method,
      tokenStatus: (state, context) => entryOf(state, context).last.status,
    },
    call: {
      enter: (token, state, context) =>
        entryOf(state, context).enter(token, "remote") ? undefined : refuse("other-reason"),
    },
  });
}

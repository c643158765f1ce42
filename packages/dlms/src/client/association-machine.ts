import { acseApdu } from "../acse/acse-apdu.ts";
import { decode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import type { CipheringForm } from "../security/layers.ts";
import type { ProtectionForm } from "../security/tags.ts";
import type { SystemTitle } from "../system-title.ts";
import { readAare } from "./aare.ts";
import { buildAarq, buildRlrq, contextCiphering } from "./aarq.ts";
import type { AssociationConfig, ClientCiphering } from "./association-config.ts";
import { buildProof, type HlsState, readProof } from "./hls-proof.ts";
import type { Negotiated } from "./ports.ts";
import { type CipheredParties, openApdu, sealApdu } from "./protection.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";

/** Counters that an association takes, in a row: InitiateRequest, the proof inside pass 3, and its carrier. */
export const COUNTERS_PER_ASSOCIATION = 3;

/**
 * An association in the making, from the client's side:
 *
 * - `idle`: nothing was sent.
 * - `requested`: the AARQ is out.
 * - `proving`: the server accepted; our answer to its challenge is out (mechanisms 2 to 7).
 * - `established`: both sides have proven what they had to.
 * - `releasing`: the RLRQ is out.
 * - `released`: over, by agreement or by `abort`.
 * - `failed`: over, and why.
 */
export type AssociationState<Key> =
  | { readonly kind: "idle"; readonly config: AssociationConfig<Key> }
  | { readonly kind: "requested"; readonly config: AssociationConfig<Key>; readonly invocationCounter: number }
  | ({ readonly kind: "proving" } & HlsState<Key>)
  | { readonly kind: "established"; readonly config: AssociationConfig<Key>; readonly negotiated: Negotiated }
  | { readonly kind: "releasing"; readonly config: AssociationConfig<Key>; readonly negotiated: Negotiated }
  | { readonly kind: "released" }
  | { readonly kind: "failed"; readonly error: DlmsError };

export type AssociationEvent =
  /** `invocationCounter` is the first of `COUNTERS_PER_ASSOCIATION` that nobody else uses. */
  | { readonly kind: "associate"; readonly invocationCounter: number }
  | { readonly kind: "received"; readonly apdu: Uint8Array }
  /** `invocationCounter` is one that nobody else uses. */
  | { readonly kind: "release"; readonly invocationCounter: number }
  /** The line is lost, or the caller has lost interest. */
  | { readonly kind: "abort" };

export type AssociationEffect =
  /** Send `apdu`; `plain` is the same before ciphering. */
  | {
      readonly kind: "send";
      readonly step: "associate" | "authenticate" | "release";
      readonly apdu: Uint8Array;
      readonly plain: Uint8Array;
    }
  /** `serverCounters` were seen on the way, rising; who keeps counters durably judges them before it goes on. */
  | { readonly kind: "established"; readonly negotiated: Negotiated; readonly serverCounters: readonly number[] }
  | { readonly kind: "released" }
  | { readonly kind: "failed"; readonly error: DlmsError };

type Step<Key> = readonly [AssociationState<Key>, ...AssociationEffect[]];

/**
 * Takes one event. Pure: the same state and event give the same result, and what has to be random, counted or secret
 * comes in with them. An event that has no place in a state changes nothing.
 */
export function stepAssociation<Key>(state: AssociationState<Key>, event: AssociationEvent): Step<Key> {
  try {
    return step(state, event);
  } catch (error) {
    if (!(error instanceof DlmsError)) throw error;
    return [
      { kind: "failed", error },
      { kind: "failed", error },
    ];
  }
}

function step<Key>(state: AssociationState<Key>, event: AssociationEvent): Step<Key> {
  const { kind } = state;
  if (kind === "released" || kind === "failed") return [state];
  if (event.kind === "abort") return [{ kind: "released" }];
  switch (kind) {
    case "idle":
      return event.kind === "associate" ? associate(state.config, event.invocationCounter) : [state];
    case "requested":
      return event.kind === "received" ? takeAare(state, event.apdu) : [state];
    case "proving":
      return event.kind === "received" ? takeProof(state, event.apdu) : [state];
    case "established":
      return event.kind === "release" ? release(state, event.invocationCounter) : [state];
    case "releasing":
      return event.kind === "received" ? takeRlre(state, event.apdu) : [state];
    default:
      return state satisfies never;
  }
}

type In<Key, Kind extends AssociationState<Key>["kind"]> = Extract<AssociationState<Key>, { kind: Kind }>;

function associate<Key>(config: AssociationConfig<Key>, invocationCounter: number): Step<Key> {
  const apdu = buildAarq(config, invocationCounter);
  return [
    { kind: "requested", config, invocationCounter },
    { kind: "send", step: "associate", apdu, plain: apdu },
  ];
}

function takeAare<Key>({ config, invocationCounter }: In<Key, "requested">, octets: Uint8Array): Step<Key> {
  const accepted = readAare(config, octets);
  const { negotiated, serverChallenge, counter } = accepted;
  const { systemTitle } = config;
  if (serverChallenge === undefined) return established(config, negotiated, counter === undefined ? [] : [counter]);
  const state = { config, accepted, serverChallenge };
  const plain = buildProof(state, invocationCounter + 1);
  const ciphering = contextCiphering(config);
  const apdu =
    ciphering === undefined || systemTitle === undefined
      ? plain
      : sealApdu({ ciphering, client: systemTitle }, plain, invocationCounter + 2, {
          form: globalFormOf(ciphering.form),
        });
  return [
    { kind: "proving", ...state },
    { kind: "send", step: "authenticate", apdu, plain },
  ];
}

function takeProof<Key>(state: In<Key, "proving">, octets: Uint8Array): Step<Key> {
  const { config, accepted } = state;
  const parties = partiesOf(config, accepted.negotiated);
  const ciphered = contextCiphering(config) !== undefined;
  if (ciphered && parties === undefined)
    throw new SessionError("server-not-authentic", "the server does not say its system title, and none was given");
  const carrier =
    ciphered && parties !== undefined
      ? openApdu(parties, octets, { mayBeUnsigned: true })
      : { plain: octets, counter: undefined };
  const inner = readProof(state, carrier.plain);
  // Both are judged against the value before the carrier: the inner counter was drawn first, or is the same one.
  const lowest = Math.max(config.lowestServerCounter ?? 0, (accepted.counter ?? -1) + 1);
  const seen = [inner, carrier.counter].filter((counter) => counter !== undefined);
  for (const counter of seen)
    if (counter < lowest)
      throw new SessionError("counter-replayed", `the server's invocation counter ${counter} was used before`);
  const all = accepted.counter === undefined ? seen : [accepted.counter, ...seen];
  return established(
    config,
    accepted.negotiated,
    [...new Set(all)].sort((a, b) => a - b),
  );
}

function established<Key>(
  config: AssociationConfig<Key>,
  negotiated: Negotiated,
  serverCounters: readonly number[],
): Step<Key> {
  return [
    { kind: "established", config, negotiated },
    { kind: "established", negotiated, serverCounters },
  ];
}

function release<Key>({ config, negotiated }: In<Key, "established">, invocationCounter: number): Step<Key> {
  const apdu = buildRlrq(config, invocationCounter);
  return [
    { kind: "releasing", config, negotiated },
    { kind: "send", step: "release", apdu, plain: apdu },
  ];
}

function takeRlre<Key>({ config, negotiated }: In<Key, "releasing">, octets: Uint8Array): Step<Key> {
  const refusal = refusalOf(octets);
  if (refusal !== undefined) throw refusal;
  const answer = decode(acseApdu, octets);
  if (answer.kind !== "rlre")
    throw new SessionError("unexpected-response", `the server answers the RLRQ with "${answer.kind}"`);
  const { userInformation } = answer.value;
  const parties = partiesOf(config, negotiated);
  if (userInformation !== undefined && parties !== undefined && contextCiphering(config) !== undefined)
    openApdu(parties, userInformation, { mayBeUnsigned: true });
  return [{ kind: "released" }, { kind: "released" }];
}

/** Who ciphers with whom; undefined where the association has no keys or the server has no name. */
export function partiesOf<Key>(
  {
    ciphering,
    systemTitle,
  }: { readonly ciphering?: ClientCiphering<Key> | undefined; readonly systemTitle?: SystemTitle | undefined },
  { serverSystemTitle }: Negotiated,
): CipheredParties<Key> | undefined {
  if (ciphering === undefined || systemTitle === undefined || serverSystemTitle === undefined) return undefined;
  return { ciphering, client: systemTitle, server: serverSystemTitle };
}

/** The proofs travel under the global key: they show that both sides hold that one. */
function globalFormOf(form: CipheringForm): ProtectionForm {
  return form === "general-global" ? "general-global" : "global";
}

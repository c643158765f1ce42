import type { KeyObject } from "node:crypto";
import {
  type AssociationConfig,
  type AssociationState,
  type CipheredParties,
  type ClientCiphering,
  COUNTERS_PER_ASSOCIATION,
  type DlmsError,
  type FrameCounters,
  partiesOf,
  sealApdu,
  stepAssociation,
} from "@meterkeep/dlms";
import type { Answer, Meaning } from "./answer.ts";
import type { Probe } from "./probe.ts";
import type { Member } from "./requests.ts";

/** What became of an attempt to associate. */
export type Attempt =
  | { readonly kind: "established"; readonly association: Secured }
  /** The meter said no, or did not prove itself. */
  | { readonly kind: "refused"; readonly error: DlmsError; readonly last: Answer }
  | { readonly kind: "unanswered"; readonly last: Answer };

/** An association whose AARQ was accepted, before our proof was sent. */
export interface HalfOpen {
  readonly aarq: Uint8Array;
  readonly state: Extract<AssociationState<KeyObject>, { kind: "proving" }>;
  /** The genuine proof, sealed and plain. */
  readonly proof: { readonly apdu: Uint8Array; readonly plain: Uint8Array };
  readonly serverChallenge: Uint8Array;
}

/** What one request departs from its association in. */
export interface Departure {
  readonly counter?: number;
  readonly ciphering?: Partial<Pick<ClientCiphering<KeyObject>, "authenticated" | "encrypted" | "encryptionKey">>;
  /** Changes the octets after sealing. */
  readonly alter?: (wire: Uint8Array) => Uint8Array;
}

/** An association, on which requests can be sent that it would never make by itself. */
export class Secured {
  readonly probe: Probe;
  readonly config: AssociationConfig<KeyObject>;
  /** Undefined where nothing is ciphered. */
  readonly parties: CipheredParties<KeyObject> | undefined;
  readonly #counters: FrameCounters;

  constructor(
    probe: Probe,
    state: Extract<AssociationState<KeyObject>, { kind: "established" }>,
    counters: FrameCounters,
  ) {
    this.probe = probe;
    this.config = state.config;
    this.parties = state.config.cipheredContext === false ? undefined : partiesOf(state.config, state.negotiated);
    this.#counters = counters;
  }

  /** The octets of a plain APDU as they would go out. */
  seal(plain: Uint8Array, departure: Departure = {}): Uint8Array {
    if (this.parties === undefined) return plain;
    const { ciphering, client, server } = this.parties;
    const { counter = this.#counters.take(1), alter = (wire: Uint8Array) => wire } = departure;
    const parties = { ciphering: { ...ciphering, ...departure.ciphering }, client, server };
    return alter(sealApdu(parties, plain, counter));
  }

  /** Sends octets as they are and reads what comes back. */
  async sayWire(label: string, wire: Uint8Array): Promise<Meaning> {
    return await this.probe.ask(label, wire, this.parties);
  }

  /** Sends a request and reads what comes back. */
  async say(label: string, plain: Uint8Array, departure?: Departure): Promise<Meaning> {
    return await this.sayWire(label, this.seal(plain, departure));
  }

  get(label: string, member: Member, departure?: Departure): Promise<Meaning> {
    return this.say(label, this.probe.requests.get(member), departure);
  }
}

/** Associates as the configuration says. */
export async function attempt(
  probe: Probe,
  config: AssociationConfig<KeyObject>,
  counters: FrameCounters,
  label = "AARQ",
): Promise<Attempt> {
  let last: Answer = { kind: "silence", milliseconds: 0 };
  let [state, effect] = stepAssociation<KeyObject>(
    { kind: "idle", config },
    { kind: "associate", invocationCounter: drawFor(config, counters) },
  );
  while (effect?.kind === "send") {
    last = await probe.say(effect.step === "associate" ? label : "pass 3: our answer to its challenge", effect.apdu);
    if (last.kind !== "octets") return { kind: "unanswered", last };
    [state, effect] = stepAssociation(state, { kind: "received", apdu: last.octets });
  }
  if (effect?.kind === "failed") return { kind: "refused", error: effect.error, last };
  if (state.kind !== "established") return { kind: "unanswered", last };
  return { kind: "established", association: new Secured(probe, state, counters) };
}

/** Sends the AARQ alone; undefined when the meter does not accept it. */
export async function halfOpen(
  probe: Probe,
  config: AssociationConfig<KeyObject>,
  counters: FrameCounters,
  label = "AARQ",
): Promise<HalfOpen | undefined> {
  const [requested, request] = stepAssociation<KeyObject>(
    { kind: "idle", config },
    { kind: "associate", invocationCounter: drawFor(config, counters) },
  );
  if (request?.kind !== "send") return undefined;
  const answer = await probe.say(label, request.apdu);
  if (answer.kind !== "octets") return undefined;
  const [state, proof] = stepAssociation(requested, { kind: "received", apdu: answer.octets });
  if (state.kind !== "proving" || proof?.kind !== "send") return undefined;
  return { aarq: request.apdu, state, proof, serverChallenge: state.serverChallenge };
}

/** The parties of an association that is not proven yet. */
export function partiesIn({ state }: HalfOpen): CipheredParties<KeyObject> | undefined {
  return partiesOf(state.config, state.accepted.negotiated);
}

function drawFor({ ciphering }: AssociationConfig<KeyObject>, counters: FrameCounters): number {
  return counters.take(ciphering === undefined ? 0 : COUNTERS_PER_ASSOCIATION);
}

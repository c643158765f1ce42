import type { LostReason } from "@meterkeep/api/custodian";
import { type AssociationEffect, type DlmsError, sealApdu } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import type { Caller } from "../calls/caller.ts";
import { Answers } from "../conversation/answers.ts";
import type { Association } from "../conversation/association.ts";
import type { Line } from "../conversation/line.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { readable, shownCounter } from "../protocol/readable.ts";
import {
  type AttributeName,
  actionAnswer,
  actionResult,
  getResult,
  reasonOf,
  setResult,
  textOf,
} from "../protocol/requests.ts";
import type {
  KeyRecord,
  MeterFile,
  MeterRecord,
  RotationRecord,
  SetupPlace,
  TakeoverRecord,
} from "../store/records.ts";
import type { Agreeing } from "./agreeing.ts";
import type { Journal, TakeoverEvent } from "./journal.ts";
import type { PreparedTransfer } from "./prepared-transfer.ts";
import { ClientsRead } from "./read-clients.ts";

/** What the meter's next answer is for. */
export type Awaited =
  | { readonly kind: "association" }
  | { readonly kind: "counter" }
  /** Attributes still to be read, the first one asked for. */
  | { readonly kind: "identity"; readonly asked: readonly (readonly [IdentityFact, AttributeName])[] }
  /** To an ACTION or a SET. */
  | { readonly kind: "answer" }
  | { readonly kind: "policy" }
  /** Questions about its clients, one after the other. */
  | { readonly kind: "clients"; readonly read: ClientsRead }
  /** The meter's part of an agreement on a master. */
  | { readonly kind: "agreement" }
  | { readonly kind: "release" };

/** What is compared of a meter's identity. */
type IdentityFact = "logicalDeviceName" | "serialNumber";

type WithoutTime<E> = E extends unknown ? Omit<E, "at"> : never;
/** What an answer meant to the machine; the time is added by who hands it in. */
export type Happened = WithoutTime<TakeoverEvent>;

/** What came of an answer: something more to send within the same step, or an event for the machine. */
export type Outcome =
  | { readonly kind: "send"; readonly apdu: Uint8Array }
  | { readonly kind: "ask"; readonly request: AttributeName }
  | { readonly kind: "event"; readonly event: Happened }
  /** A master that was agreed on: whoever hears of it keeps it and disposes of it. */
  | { readonly kind: "agreed"; readonly master: SecretKey };

/** One contact with one meter, as long as it lasts in this process. The journal survives it, this does not. */
export class LiveContact {
  readonly caller: Caller;
  readonly meter: MeterRecord;
  readonly place: SetupPlace;
  readonly line: Line;
  readonly association: Association;
  readonly evidence = new EvidenceHash();
  journal: Journal;
  record: TakeoverRecord;
  keys: readonly KeyRecord[];
  /** The plan that a rotation carries out; absent for a takeover. */
  readonly rotation: RotationRecord | undefined;
  /** Keys that are durable and in escrow, and are sent next. */
  prepared: PreparedTransfer | undefined;
  awaited: Awaited = { kind: "association" };
  readonly #agreeing: Agreeing | undefined;
  readonly #identity = new Map<IdentityFact, string>();
  #answered = false;
  readonly #answers: Answers;
  readonly #loaded: Pick<MeterFile, "takeovers" | "rotations" | "history">;

  constructor(
    parts: Pick<LiveContact, "caller" | "place" | "line" | "association" | "journal" | "record" | "rotation"> & {
      /** The meter's, as just loaded. */
      readonly file: Pick<MeterFile, "meter" | "keys" | "takeovers" | "rotations" | "history">;
      readonly agreeing?: Agreeing | undefined;
    },
  ) {
    this.caller = parts.caller;
    this.meter = parts.file.meter;
    this.keys = parts.file.keys;
    this.#loaded = parts.file;
    this.place = parts.place;
    this.line = parts.line;
    this.association = parts.association;
    this.#answers = new Answers(parts.association, parts.line);
    this.journal = parts.journal;
    this.record = parts.record;
    this.rotation = parts.rotation;
    this.#agreeing = parts.agreeing;
  }

  get history(): MeterFile["history"] {
    return this.#loaded.history;
  }

  /** The newest journals of all setups, with its own as it is by now. */
  get takeovers(): readonly TakeoverRecord[] {
    const others = this.#loaded.takeovers.filter(({ setup }) => setup !== this.place.setup);
    return this.record.revision === 0 ? others : [...others, this.record];
  }

  /** The newest rotations of all setups, without its own where that is over. */
  get rotations(): readonly RotationRecord[] {
    const { rotations } = this.#loaded;
    return this.record.closedAt === undefined ? rotations : rotations.filter(({ setup }) => setup !== this.place.setup);
  }

  /** Protects a request of ours under the keys of the association. */
  seal(plain: Uint8Array, counter: number): Uint8Array {
    const { parties } = this.association;
    this.#answers.await(plain);
    return parties === undefined ? plain : sealApdu(parties, plain, counter);
  }

  /** Gives back what it holds. */
  [Symbol.dispose](): void {
    this.association[Symbol.dispose]();
    this.line[Symbol.dispose]();
  }

  /** The line is gone: after an answer under factory keys that is all there is to know. */
  lost(reason: LostReason): Happened {
    return this.#answered && !this.association.established && this.#isUnderKeys
      ? { kind: "answered-under-keys", detail: `then the line was lost (${reason})` }
      : { kind: "lost", reason };
  }

  /** Reads an answer of the meter. What is not authentic is no answer: the line counts as lost. */
  receive(octets: Uint8Array): Outcome {
    this.evidence.received(octets);
    switch (this.awaited.kind) {
      case "association":
        return this.#associationAnswer(octets, this.association.take({ kind: "received", apdu: octets }));
      case "counter":
        return this.#counterAnswer(octets);
      case "identity":
        return this.#identityAnswer(octets, this.awaited.asked);
      case "answer":
        return this.#actAnswer(octets);
      case "policy":
        return this.#policyAnswer(octets);
      case "clients":
        return this.#clientsAnswer(octets, this.awaited.read);
      case "agreement":
        return this.#agreementAnswer(octets);
      case "release":
        return { kind: "event", event: { kind: "released" } };
      default:
        return this.awaited satisfies never;
    }
  }

  #associationAnswer(octets: Uint8Array, effect: AssociationEffect | undefined): Outcome {
    switch (effect?.kind) {
      case "send":
        // The machine goes on to prove itself only after an InitiateResponse that was authentic under these keys.
        this.#answered = true;
        return { kind: "send", apdu: effect.apdu };
      case "established":
        this.#answers.begin(effect.serverCounters);
        return { kind: "event", event: { kind: "associated" } };
      case "failed":
        return this.#isUnderKeys && (this.#answered || this.association.isUnderKeys(octets))
          ? { kind: "event", event: { kind: "answered-under-keys", detail: reasonOf(effect.error) } }
          : refusedBy(effect.error);
      default:
        return LOST;
    }
  }

  /** Not of a client with a secret: what it is answered before its proof says nothing about it. */
  get #isUnderKeys(): boolean {
    return this.journal.contact?.client === undefined;
  }

  /** The public client's association and read: plain, believed within bounds only. */
  #counterAnswer(octets: Uint8Array): Outcome {
    if (!this.association.established) {
      const effect = this.association.take({ kind: "received", apdu: octets });
      if (effect?.kind === "established") return { kind: "event", event: { kind: "associated" } };
      return { kind: "event", event: { kind: "counter-read", counter: undefined } };
    }
    return { kind: "event", event: { kind: "counter-read", counter: shownCounter(octets) } };
  }

  #identityAnswer(octets: Uint8Array, asked: readonly (readonly [IdentityFact, AttributeName])[]): Outcome {
    const plain = this.#answers.open(octets);
    if (plain === undefined) return LOST;
    const [[name], ...rest] = asked as [readonly [IdentityFact, AttributeName], ...typeof asked];
    const read = textOf(readable(() => getResult(plain)));
    this.#identity.set(name, read ?? "");
    this.awaited = { kind: "identity", asked: rest };
    const [next] = rest;
    return next === undefined ? this.#identityCompared() : { kind: "ask", request: next[1] };
  }

  #identityCompared(): Outcome {
    const differing = (["logicalDeviceName", "serialNumber"] as const).filter(
      (name) => this.#identity.get(name) !== this.meter[name],
    );
    const matches = differing.length === 0;
    const detail = matches
      ? `it says that it is ${this.meter.logicalDeviceName}, serial number ${this.meter.serialNumber}`
      : differing
          .map((name) => `${name} is "${this.#identity.get(name)}", the shipment says "${this.meter[name]}"`)
          .join("; ");
    return { kind: "event", event: { kind: "identity-read", matches, detail } };
  }

  #policyAnswer(octets: Uint8Array): Outcome {
    const plain = this.#answers.open(octets);
    if (plain === undefined) return LOST;
    const said = readable(() => getResult(plain));
    const value = typeof said?.value === "number" ? said.value : undefined;
    return { kind: "event", event: { kind: "policy-read", value } };
  }

  /** What is to be asked about clients that the profile does not name. */
  clientsToRead(): ClientsRead {
    return new ClientsRead(
      this.keys,
      meterFacts(this.meter.profile).secretClients.map(({ object }) => object),
    );
  }

  #clientsAnswer(octets: Uint8Array, read: ClientsRead): Outcome {
    const plain = this.#answers.open(octets);
    if (plain === undefined || readable(() => read.take(plain)) === undefined) return LOST;
    const { next, clients, setups, hidden } = read;
    return next === undefined
      ? { kind: "event", event: { kind: "clients-found", clients, setups, hidden } }
      : { kind: "ask", request: next };
  }

  /** Whether somebody is there to agree with on a master. */
  get agreement(): boolean {
    return this.#agreeing !== undefined;
  }

  /** The key_agreement of a fresh ephemeral key for the master. */
  offer(): Uint8Array {
    if (this.#agreeing === undefined) throw new Error("nobody is there to agree with");
    return this.#agreeing.offer();
  }

  #agreementAnswer(octets: Uint8Array): Outcome {
    const plain = this.#answers.open(octets);
    const answer = plain && readable(() => actionAnswer(plain));
    if (answer === undefined) return LOST;
    const refused = (detail: string): Outcome => ({
      kind: "event",
      event: { kind: "transfer-answered", accepted: false, detail },
    });
    if (answer.result !== "success") return refused(`the meter answered ${answer.result}`);
    const master = this.#agreeing?.complete(answer.returned);
    return master === undefined
      ? refused("it did not sign its part with the key that it is known by")
      : { kind: "agreed", master };
  }

  #actAnswer(octets: Uint8Array): Outcome {
    const plain = this.#answers.open(octets);
    const result = plain && (readable(() => actionResult(plain)) ?? readable(() => setResult(plain)));
    if (result === undefined) return LOST;
    const detail = `the meter answered ${result}`;
    return { kind: "event", event: { kind: "transfer-answered", accepted: result === "success", detail } };
  }
}

const LOST: Outcome = { kind: "event", event: { kind: "lost", reason: "closed" } };

/** An association that was not made: the meter refused it, or did not prove itself. */
function refusedBy(error: DlmsError): Outcome {
  const expectedCounter = (error as { expectedInvocationCounter?: number }).expectedInvocationCounter;
  return { kind: "event", event: { kind: "association-refused", detail: reasonOf(error), expectedCounter } };
}

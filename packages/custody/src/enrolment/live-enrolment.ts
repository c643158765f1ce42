import type { LostReason } from "@meterkeep/api/custodian";
import { DlmsError, equalBytes, fromHex, openApdu, sealApdu, toHex } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Answers } from "../conversation/answers.ts";
import type { Association } from "../conversation/association.ts";
import type { Line } from "../conversation/line.ts";
import { transactionIdOf } from "../conversation/transaction-id.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import { reasonOf } from "../protocol/requests.ts";
import type { EnrolmentRecord, MeterRecord, SetupPlace, TakeoverRecord } from "../store/records.ts";
import { type Call, callAnswered, callRequest, type Happened } from "./calls.ts";
import type { EnrolmentJournal } from "./journal.ts";
import type { MeterChain } from "./meter-authority.ts";

/** What the meter's next answer is for. */
type Awaited =
  | { readonly kind: "association" }
  | { readonly kind: "call"; readonly call: Call }
  | { readonly kind: "signed"; readonly call: Call; readonly transactionId: Uint8Array }
  | { readonly kind: "release" };

/** What came of an answer: something more to send within the same step, or an event for the machine. */
export type Outcome =
  | { readonly kind: "send"; readonly apdu: Uint8Array }
  | { readonly kind: "event"; readonly event: Happened };

const LOST: Outcome = { kind: "event", event: { kind: "lost", reason: "closed" } };

/** One contact of an enrolment, as long as it lasts in this process. The journal survives it, this does not. */
export class LiveEnrolment {
  readonly caller: Caller;
  readonly meter: MeterRecord;
  readonly place: SetupPlace;
  readonly line: Line;
  readonly association: Association;
  readonly chain: MeterChain;
  readonly plan: EnrolmentRecord;
  readonly evidence = new EvidenceHash();
  journal: EnrolmentJournal;
  record: TakeoverRecord;
  readonly #answers: Answers;
  #awaited: Awaited = { kind: "association" };

  constructor(
    parts: Pick<
      LiveEnrolment,
      "caller" | "meter" | "place" | "line" | "association" | "chain" | "plan" | "journal" | "record"
    >,
  ) {
    this.caller = parts.caller;
    this.meter = parts.meter;
    this.place = parts.place;
    this.line = parts.line;
    this.association = parts.association;
    this.chain = parts.chain;
    this.plan = parts.plan;
    this.journal = parts.journal;
    this.record = parts.record;
    this.#answers = new Answers(parts.association, parts.line);
  }

  /** The AARQ. */
  associate(counter: number): Uint8Array {
    this.#awaited = { kind: "association" };
    return this.#sent(this.association.take({ kind: "associate", invocationCounter: counter }));
  }

  release(counter: number): Uint8Array {
    this.#awaited = { kind: "release" };
    return this.#sent(this.association.take({ kind: "release", invocationCounter: counter }));
  }

  /** Seals a call; what asks for a signature goes signed, under a key for it alone, and so must its answer. */
  call(call: Call, counter: number, octets: Uint8Array | undefined): Uint8Array {
    const plain = callRequest(call, { systemTitle: fromHex(this.meter.systemTitle), setup: this.place.setup }, octets);
    if (call.kind === "ask-signed") {
      const parties = this.association.signedParties;
      if (parties === undefined) throw new CallRefusal("custodian-failed", "this association signs nothing");
      const transactionId = transactionIdOf(counter);
      this.#awaited = { kind: "signed", call, transactionId };
      return this.#noted(sealApdu(parties, plain, counter, { transactionId }));
    }
    const { parties } = this.association;
    if (parties === undefined) throw new CallRefusal("custodian-failed", "nothing can be sealed yet");
    this.#awaited = { kind: "call", call };
    this.#answers.await(plain);
    return this.#noted(sealApdu(parties, plain, counter));
  }

  /** Gives back what it holds. */
  [Symbol.dispose](): void {
    this.association[Symbol.dispose]();
    this.line[Symbol.dispose]();
  }

  lost(reason: LostReason): Happened {
    return { kind: "lost", reason };
  }

  /** Reads an answer of the meter. What is not authentic is no answer: the line counts as lost. */
  receive(octets: Uint8Array): Outcome {
    this.evidence.received(octets);
    const awaited = this.#awaited;
    switch (awaited.kind) {
      case "association":
        return this.#associated(octets);
      case "call": {
        const plain = this.#answers.open(octets);
        return plain === undefined ? LOST : this.#answered(awaited.call, plain);
      }
      case "signed":
        return this.#signedAnswer(octets, awaited);
      case "release":
        return { kind: "event", event: { kind: "released" } };
      default:
        return awaited satisfies never;
    }
  }

  #associated(octets: Uint8Array): Outcome {
    const effect = this.association.take({ kind: "received", apdu: octets });
    switch (effect?.kind) {
      case "send":
        return { kind: "send", apdu: this.#noted(effect.apdu) };
      case "established": {
        this.#answers.begin(effect.serverCounters);
        const shown = this.association.shownKey;
        return { kind: "event", event: { kind: "associated", key: shown && toHex(shown) } };
      }
      case "failed":
        return { kind: "event", event: { kind: "association-refused", detail: reasonOf(effect.error) } };
      default:
        return LOST;
    }
  }

  #answered(call: Call, plain: Uint8Array): Outcome {
    const { slots, believed } = this.journal;
    // No key pair serves twice, and none that was certified before is asked for again.
    const keys = [
      ...slots.map(({ key }) => key),
      ...Object.values(believed).flatMap((all) => all.map(({ key }) => key)),
    ];
    const event = callAnswered(
      call,
      plain,
      this.meter,
      keys.filter((key) => key !== undefined),
    );
    return event === undefined ? LOST : { kind: "event", event };
  }

  /** An answer that is not signed and ciphered as its request was proves nothing: that is an answer as well. */
  #signedAnswer(octets: Uint8Array, { call, transactionId }: Extract<Awaited, { kind: "signed" }>): Outcome {
    const parties = this.association.signedParties;
    const unproven = (detail: string): Outcome => ({
      kind: "event",
      event: { kind: "answered", accepted: false, detail },
    });
    try {
      if (parties === undefined) return LOST;
      const opened = openApdu(parties, octets);
      if (opened.transactionId === undefined || !equalBytes(opened.transactionId, transactionId))
        return unproven("what it answered is not an answer to what was asked");
      return this.#answered(call, opened.plain);
    } catch (error) {
      if (error instanceof DlmsError) return unproven(`its answer does not prove its keys: ${error.code}`);
      throw error;
    }
  }

  #sent(effect: ReturnType<Association["take"]>): Uint8Array {
    if (effect?.kind === "send") return this.#noted(effect.apdu);
    throw new CallRefusal("custodian-failed", "the association has nothing to send");
  }

  #noted(apdu: Uint8Array): Uint8Array {
    this.evidence.sent(apdu);
    return apdu;
  }
}

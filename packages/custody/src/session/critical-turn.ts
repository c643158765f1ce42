import { apdu, decode, equalBytes } from "@meterkeep/dlms";
import type { SealOutcome } from "../authority/store/records.ts";
import { type AnswerName, bearsName, isAnswer } from "../conversation/answer-name.ts";

/** A request that was signed, and whose answer repeats its transaction id. */
export interface SignedRequest {
  readonly counter: number;
  readonly transactionId: Uint8Array;
}

/** A critical request that waits for its answer. */
export interface SealedCritical {
  readonly nonce: string;
  readonly counter: number;
  /** Where it was signed, its answer is, and repeats this. */
  readonly transactionId: Uint8Array | undefined;
  /** What its answer is called; none settles a request that bears no number. */
  readonly answer: AnswerName | undefined;
}

/** A critical request that was answered, and how. */
export type AnsweredCritical = SealedCritical & { readonly outcome: SealOutcome };

/** What an answer to something signed shows: the critical request's outcome, or only that the meter took that transaction. */
export type Shown = AnsweredCritical | { readonly nonce: undefined; readonly counter: number };

/**
 * Keeps a session in lock-step around critical requests, so that an authentic answer belongs to just one of them.
 *
 * States: *free* (requests are sealed as they come, and counted until each is answered), *judging* (one critical request is
 * being decided, nothing else is sealed), *waiting* (it was sealed; until its answer nothing else is). A meter answers each
 * request it takes at most once: when every earlier one has been answered, and nobody else has taken a counter of the
 * meter's, an answer that bears the critical one's name is the critical one's. What was signed needs no such order: its
 * answer names its transaction.
 *
 * Beside that one ordinary request may go signed, to find out what transactions the meter has left behind.
 */
export class CriticalTurn {
  #unanswered = 0;
  #state: "free" | "judging" | SealedCritical = "free";
  #probe: SignedRequest | undefined;
  #hasProbed = false;

  /** Whether requests are sealed as they come. */
  get isFree(): boolean {
    return this.#state === "free";
  }

  /** Whether an answer is awaited to something signed, and nothing else will do. */
  get isSigned(): boolean {
    return typeof this.#state === "object" && this.#state.transactionId !== undefined;
  }

  /** Whether the answer to an ordinary request is awaited signed. */
  get isProbing(): boolean {
    return this.#probe !== undefined;
  }

  /** Whether one ordinary request may still go signed. */
  get mayProbe(): boolean {
    return !this.#hasProbed && this.#state === "free";
  }

  /** An ordinary request went signed. */
  probed(request: SignedRequest): void {
    this.#probe = request;
    this.#hasProbed = true;
  }

  /** So many harmless requests are sealed, or will be once what they wait for is durable: nothing critical comes between. */
  sealed(requests: number): void {
    this.#unanswered += requests;
  }

  /** So many of those are not sealed after all. */
  dropped(requests: number): void {
    this.#unanswered = Math.max(0, this.#unanswered - requests);
  }

  /** Begins to judge a critical request; false where an earlier one has no answer yet. */
  begin(): boolean {
    if (this.#state !== "free" || this.#unanswered > 0) return false;
    this.#state = "judging";
    return true;
  }

  /** It was refused, or it was sealed and waits. */
  decided(critical: SealedCritical | undefined): void {
    this.#state = critical ?? "free";
  }

  /**
   * Hears what the meter has sent under the global key, authentic and once; gives the critical request that it answers.
   * Where anybody else has had a turn on its line meanwhile the wait is void, and what was sealed stays open.
   */
  heard(plain: Uint8Array, line: { readonly isAlone: boolean }): AnsweredCritical | undefined {
    if (!isAnswer(plain)) return undefined;
    const state = this.#state;
    if (typeof state === "string") {
      this.#unanswered = Math.max(0, this.#unanswered - 1);
      return undefined;
    }
    if (state.transactionId !== undefined || state.answer === undefined || !bearsName(plain, state.answer))
      return undefined;
    this.#state = "free";
    return line.isAlone ? { ...state, outcome: outcomeOf(plain) } : undefined;
  }

  /** Hears what the meter has signed; undefined where it is the answer to nothing that is awaited. */
  heardSigned(plain: Uint8Array, transactionId: Uint8Array): Shown | undefined {
    const state = this.#state;
    const awaited = typeof state === "object" ? state.transactionId : undefined;
    if (typeof state === "object" && awaited !== undefined && equalBytes(transactionId, awaited)) {
      if (state.answer === undefined || !bearsName(plain, state.answer)) return undefined;
      this.#state = "free";
      return { ...state, outcome: outcomeOf(plain) };
    }
    const probe = this.#probe;
    if (probe === undefined || !isAnswer(plain) || !equalBytes(transactionId, probe.transactionId)) return undefined;
    this.#probe = undefined;
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    return { nonce: undefined, counter: probe.counter };
  }
}

function outcomeOf(plain: Uint8Array): SealOutcome {
  try {
    const answer = decode(apdu, plain);
    if (answer.kind === "set-response" && answer.value.kind === "normal")
      return answer.value.value.result === "success" ? "executed" : "refused";
    if (answer.kind === "action-response" && answer.value.kind === "normal")
      return answer.value.value.outcome.result === "success" ? "executed" : "refused";
  } catch {
    // Authentic, and not to be understood: it was taken, so it may have been done.
  }
  return "executed";
}

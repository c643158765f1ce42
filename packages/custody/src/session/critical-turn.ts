import { apdu, decode } from "@meterkeep/dlms";
import type { SealOutcome } from "../authority/store/records.ts";

/** The first octets of what answers a request: get-response, set-response, action-response. */
const ANSWERS: ReadonlySet<number> = new Set([0xc4, 0xc5, 0xc7]);

/** A critical request that waits for its answer. */
export interface SealedCritical {
  readonly nonce: string;
  readonly counter: number;
  /** Where it was signed, its answer is, and repeats this. */
  readonly transactionId: Uint8Array | undefined;
}

/**
 * Keeps a session in lock-step around critical requests, so that an authentic answer belongs to just one of them.
 *
 * States: *free* (requests are sealed as they come, and counted until each is answered), *judging* (one critical request is
 * being decided, nothing else is sealed), *waiting* (it was sealed; until its answer nothing else is). A meter answers each
 * request it takes at most once: when every earlier one has been answered, the next answer is the critical one's.
 */
export class CriticalTurn {
  #unanswered = 0;
  #state: "free" | "judging" | SealedCritical = "free";

  /** Whether requests are sealed as they come. */
  get isFree(): boolean {
    return this.#state === "free";
  }

  /** The transaction that is awaited, where the critical request was signed. */
  get transactionId(): Uint8Array | undefined {
    return typeof this.#state === "object" ? this.#state.transactionId : undefined;
  }

  /** So many harmless requests were sealed. */
  sealed(requests: number): void {
    this.#unanswered += requests;
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

  /** Hears what the meter has sent, authentic and once; gives the critical request that it answers, and how. */
  heard(plain: Uint8Array): (SealedCritical & { readonly outcome: SealOutcome }) | undefined {
    if (!ANSWERS.has(plain[0] ?? 0)) return undefined;
    const state = this.#state;
    if (state === "free" || state === "judging") {
      this.#unanswered = Math.max(0, this.#unanswered - 1);
      return undefined;
    }
    this.#state = "free";
    return { ...state, outcome: outcomeOf(plain) };
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

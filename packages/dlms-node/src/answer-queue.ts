import type { Cancellation } from "@meterkeep/dlms";
import type { ConnectionSettings } from "./apdu-connection.ts";
import { TransportError } from "./transport-error.ts";

const DEFAULT_RESPONSE_TIMEOUT_MILLISECONDS = 30_000;
/** data-notification and event-notification-request: never the answer to a request. */
const UNSOLICITED_TAGS: ReadonlySet<number> = new Set([0x0f, 0xc2]);
/** general-block-transfer: blocks in a row come before anybody waits for the second. */
const BLOCK_TAG = 0xe0;
/** A window holds no more. */
const MOST_EARLY_ANSWERS = 64;

interface Waiting {
  readonly resolve: (apdu: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
  /** Ends time-out and cancellation. */
  readonly stop: () => void;
}

/**
 * Where the APDUs of a meter find the one who waits for them, on any transport.
 *
 * States: idle; one waiting; closed for ever, with the reason. What comes while nobody waits is unsolicited, except
 * for answers that the transport knows to be such, and the further blocks of a window: these wait for the next one.
 */
export class AnswerQueue {
  readonly #settings: ConnectionSettings;
  /** Whom the messages speak of. */
  readonly #where: string;
  /** Closes the transport. */
  readonly #onClose: () => void;
  readonly #early: Uint8Array[] = [];
  #waiting: Waiting | undefined;
  #hasAnswered = false;
  #closed: Error | undefined;

  constructor(settings: ConnectionSettings, where: string, onClose: () => void) {
    this.#settings = settings;
    this.#where = where;
    this.#onClose = onClose;
  }

  /** @throws the reason, when the connection is closed. */
  requireOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /**
   * Sends with `begin` and waits for the next APDU. After a time-out or a cancellation the connection is closed: a late
   * answer would be taken for the next one's.
   */
  exchange(signal: Cancellation, begin: () => void): Promise<Uint8Array> {
    // Left over from a transfer that was given up: no answer to what is asked now.
    if (this.#waiting === undefined) this.#early.length = 0;
    return this.#wait(signal, begin, "close") as Promise<Uint8Array>;
  }

  /** Waits for the next APDU, one that has come early first; undefined when none comes in time. */
  async next(signal: Cancellation, begin: () => void = () => {}): Promise<Uint8Array | undefined> {
    return this.#early.shift() ?? this.#wait(signal, begin, "stay-open");
  }

  /** Hands an APDU over. `isAnswer` where the transport knows that it was asked for. */
  deliver(apdu: Uint8Array, isAnswer = false): void {
    const maybeAnswer = isAnswer || !UNSOLICITED_TAGS.has(apdu[0] ?? 0);
    if (this.#waiting !== undefined && maybeAnswer) {
      this.#hasAnswered = true;
      this.#settle()?.resolve(apdu);
    } else if ((isAnswer || apdu[0] === BLOCK_TAG) && this.#early.length < MOST_EARLY_ANSWERS) this.#early.push(apdu);
    else this.#settings.onUnsolicited?.(apdu);
  }

  /** Ends it: who waits and who comes gets the error. */
  close(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#settle()?.reject(error);
    this.#onClose();
  }

  #wait(signal: Cancellation, begin: () => void, onSilence: "close" | "stay-open"): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.requireOpen();
      if (this.#waiting !== undefined)
        throw new TransportError("exchange-busy", "one exchange at a time: await the last");
      if (signal.aborted) throw new TransportError("exchange-aborted", `cancelled before sending to ${this.#where}`);
      const timer = setTimeout(() => this.#silent(onSilence), this.#timeoutMilliseconds);
      const cancelled = () => this.#cancelled(signal);
      signal.addEventListener("abort", cancelled, { once: true });
      const stop = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", cancelled);
      };
      this.#waiting = { resolve, reject, stop };
      try {
        begin();
      } catch (error) {
        this.#settle();
        throw error;
      }
    });
  }

  get #timeoutMilliseconds(): number {
    const { firstResponseTimeoutMilliseconds: first, responseTimeoutMilliseconds: further } = this.#settings;
    return (this.#hasAnswered ? undefined : first) ?? further ?? DEFAULT_RESPONSE_TIMEOUT_MILLISECONDS;
  }

  #silent(onSilence: "close" | "stay-open"): void {
    if (onSilence === "stay-open") {
      this.#settle()?.resolve(undefined);
      return;
    }
    const message = `no answer from ${this.#where} in ${this.#timeoutMilliseconds} ms`;
    this.close(new TransportError("response-timeout", message));
  }

  #cancelled({ reason }: Cancellation): void {
    const message = `the exchange with ${this.#where} was cancelled`;
    this.close(new TransportError("exchange-aborted", message, { cause: reason }));
  }

  /** Who waits, waiting no longer. */
  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.stop();
    return waiting;
  }
}

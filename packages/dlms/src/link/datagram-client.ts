import { equalBytes } from "../bytes.ts";
import { LineError } from "./line-error.ts";
import { encodeWrapper, readWrapperDatagram } from "./wrapper.ts";

export interface DatagramClientOptions {
  readonly clientSap: number;
  readonly serverSap: number;
  /** Milliseconds until a request without answer is sent again; 5 000 unless given. */
  readonly retryMilliseconds?: number;
  /** How often; 2 unless given. 0 for servers that take a repetition for a replay. */
  readonly retries?: number;
}

export type DatagramClientEvent =
  /** Sends an APDU; it is repeated until an answer comes, unless none is expected. */
  | { readonly kind: "send"; readonly apdu: Uint8Array; readonly expectsAnswer?: boolean }
  | { readonly kind: "datagram"; readonly octets: Uint8Array }
  /** `deadline` has passed. */
  | { readonly kind: "time" };

export type DatagramClientAction =
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  /** An APDU from the server; it ends the repetitions. */
  | { readonly kind: "apdu"; readonly apdu: Uint8Array }
  | { readonly kind: "failed"; readonly error: LineError };

/** Fewer than there are invoke ids: two requests that differ in theirs have different answers. */
const REMEMBERED_ANSWERS = 8;

interface Outstanding {
  readonly octets: Uint8Array;
  due: number;
  left: number;
}

/**
 * The client's side of the wrapper over UDP (IEC 62056-47): datagrams are lost, so a request is sent again, octet for
 * octet, until something comes back.
 *
 * States: *idle*; or a request *outstanding*. Requests and datagrams may be repeated, so a copy of one of the last answers is
 * no answer to another request, and is dropped; `retries` times at most, in case the server means it.
 */
export class DatagramClient {
  readonly #options: Required<DatagramClientOptions>;
  #outstanding: Outstanding | undefined;
  /** The newest last. */
  readonly #answers: { readonly octets: Uint8Array; copiesToDrop: number }[] = [];

  constructor(options: DatagramClientOptions) {
    this.#options = { retryMilliseconds: 5000, retries: 2, ...options };
  }

  /** When the next `time` event is due. */
  get deadline(): number | undefined {
    return this.#outstanding?.due;
  }

  /** Takes an event and gives what to do. Datagrams of others, or that are no wrapper, change nothing. */
  step(event: DatagramClientEvent, now: number): readonly DatagramClientAction[] {
    switch (event.kind) {
      case "send": {
        const { clientSap, serverSap, retryMilliseconds, retries } = this.#options;
        const octets = encodeWrapper(clientSap, serverSap, event.apdu);
        const awaited = event.expectsAnswer !== false;
        this.#outstanding = awaited ? { octets, due: now + retryMilliseconds, left: retries } : undefined;
        return [{ kind: "transmit", octets }];
      }
      case "datagram":
        return this.#take(event.octets);
      case "time":
        return this.#timeOut(now);
      default:
        return event satisfies never;
    }
  }

  #take(octets: Uint8Array): readonly DatagramClientAction[] {
    const frame = readWrapperDatagram(octets);
    const { clientSap, serverSap, retries } = this.#options;
    if (frame?.source !== serverSap || frame.destination !== clientSap) return [];
    const copy = this.#answers.find(({ octets: answer }) => equalBytes(frame.apdu, answer));
    if (copy !== undefined && copy.copiesToDrop > 0) {
      copy.copiesToDrop -= 1;
      return [];
    }
    this.#outstanding = undefined;
    if (copy === undefined) {
      this.#answers.push({ octets: frame.apdu.slice(), copiesToDrop: retries });
      if (this.#answers.length > REMEMBERED_ANSWERS) this.#answers.shift();
    } else copy.copiesToDrop = retries;
    return [{ kind: "apdu", apdu: frame.apdu }];
  }

  #timeOut(now: number): readonly DatagramClientAction[] {
    const outstanding = this.#outstanding;
    if (outstanding === undefined || now < outstanding.due) return [];
    const { retryMilliseconds, retries } = this.#options;
    if (outstanding.left === 0) {
      this.#outstanding = undefined;
      const message = `no answer over UDP within ${retryMilliseconds} ms, asked ${retries + 1} times`;
      return [{ kind: "failed", error: new LineError("line-silent", message) }];
    }
    outstanding.left -= 1;
    outstanding.due = now + retryMilliseconds;
    return [{ kind: "transmit", octets: outstanding.octets }];
  }
}

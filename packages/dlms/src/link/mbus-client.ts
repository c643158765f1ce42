import { LineError } from "./line-error.ts";
import { encodeMbusShort, MbusFrameStream, type MbusMessage } from "./mbus-frame-stream.ts";
import { FRAME_COUNT_BIT, MBUS_ADDRESSES, MBUS_CONTROL, MbusJoiner } from "./mbus-link.ts";
import { encodeMbusSegment, type MbusFrame, mbusSegments } from "./wired-mbus.ts";

export interface MbusClientOptions {
  /** Primary address of the meter, 1 to 250. */
  readonly address: number;
  /** Transport selectors: service access points of client and server. */
  readonly clientSap: number;
  readonly serverSap: number;
  /** Milliseconds until a frame that gets no answer is sent again; 1 000 unless given. */
  readonly frameTimeoutMilliseconds?: number;
  /** How often; 2 unless given. */
  readonly retries?: number;
  /** Milliseconds before a meter that has nothing to say yet is asked again; 200 unless given. */
  readonly pollIntervalMilliseconds?: number;
  /** Octets of the longest APDU taken; 4 000, which is what 16 segments hold, unless given. */
  readonly maxApduBytes?: number;
}

export type MbusClientEvent =
  | { readonly kind: "connect" }
  /** Sends a request, and asks until its response is there, unless none is expected. */
  | { readonly kind: "send"; readonly apdu: Uint8Array; readonly expectsAnswer?: boolean }
  /** Asks for an APDU without a request. */
  | { readonly kind: "expect" }
  /** Expects no answer any more. */
  | { readonly kind: "abandon" }
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  /** `deadline` has passed. */
  | { readonly kind: "time" };

export type MbusClientAction =
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  | { readonly kind: "connected" }
  | { readonly kind: "apdu"; readonly apdu: Uint8Array }
  /** What a meter sent unasked, to all. */
  | { readonly kind: "notification"; readonly apdu: Uint8Array }
  | { readonly kind: "failed"; readonly error: LineError };

type State = "disconnected" | "connecting" | "idle" | "sending" | "asking";

const DEFAULTS = { frameTimeoutMilliseconds: 1000, retries: 2, pollIntervalMilliseconds: 200, maxApduBytes: 4000 };

/**
 * The master of a wired M-Bus towards one meter that speaks DLMS: a client (EN 13757-2; transport layer of EN 13757-1
 * with CI 00 to 1F).
 *
 * States: *disconnected*; *connecting* (SND-NKE sent, E5 awaited); *idle*; *sending* segments (SND-UD, each confirmed by
 * E5); *asking* (REQ-UD2, answered by a segment, or by E5 while the meter has nothing to say). What gets no answer is
 * repeated with the same frame count bit, by which the meter knows it.
 */
export class MbusClient {
  readonly #options: MbusClientOptions & typeof DEFAULTS;
  readonly #frames = new MbusFrameStream();
  readonly #responses: MbusJoiner;
  readonly #notifications: MbusJoiner;
  #state: State = "disconnected";
  #segments: { readonly octets: Uint8Array; readonly information: number }[] = [];
  #isExpecting = false;
  #frameCount = false;
  #last: Uint8Array | undefined;
  #due: number | undefined;
  #left = 0;
  #now = 0;

  constructor(options: MbusClientOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#responses = new MbusJoiner(this.#options.maxApduBytes);
    this.#notifications = new MbusJoiner(this.#options.maxApduBytes);
  }

  /** When the next `time` event is due. */
  get deadline(): number | undefined {
    return this.#due;
  }

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /**
   * Takes an event and gives what to do, in order.
   *
   * @throws LineError `line-misused` for a `send` or `expect` outside *idle*; DlmsError `out-of-range` for an APDU that
   * takes more than 16 segments.
   */
  step(event: MbusClientEvent, now: number): readonly MbusClientAction[] {
    this.#now = now;
    switch (event.kind) {
      case "connect":
        this.#frames.reset();
        this.#responses.reset();
        this.#frameCount = false;
        this.#isExpecting = false;
        return [this.#ask("connecting", encodeMbusShort(MBUS_CONTROL.sendNke, this.#options.address))];
      case "send":
        this.#requireIdle("a request");
        this.#segments = [...mbusSegments(event.apdu)];
        this.#isExpecting = event.expectsAnswer !== false;
        return [this.#nextSegment()];
      case "expect":
        this.#requireIdle("a poll");
        this.#isExpecting = true;
        return [this.#nextRequest()];
      case "abandon":
        return this.#abandon();
      case "octets":
        return this.#frames.push(event.octets).flatMap((message) => this.#take(message));
      case "time":
        return this.#due !== undefined && now >= this.#due ? this.#timeOut() : [];
      default:
        return event satisfies never;
    }
  }

  #abandon(): readonly MbusClientAction[] {
    this.#isExpecting = false;
    if (this.#state === "asking" && this.#last === undefined) this.#rest();
    return [];
  }

  #take(message: MbusMessage): readonly MbusClientAction[] {
    if (message.kind === "short") return [];
    if (message.kind === "long" && message.frame.address === MBUS_ADDRESSES.broadcast)
      return this.#takeNotification(message.frame);
    // Nothing was asked: an echo of what we sent, or a meter that speaks out of turn.
    if (this.#last === undefined) return [];
    if (message.kind === "acknowledge") return this.#acknowledged();
    const { address, clientSap, serverSap } = this.#options;
    const { frame } = message;
    const isOurs = frame.address === address && frame.source === serverSap && frame.destination === clientSap;
    // ACD and DFC say what the meter would like; the rest is the function.
    const isResponse = (frame.control & ~0x30) === MBUS_CONTROL.respondUserData;
    return this.#state === "asking" && isOurs && isResponse ? this.#takeSegment(frame) : [];
  }

  #acknowledged(): readonly MbusClientAction[] {
    switch (this.#state) {
      case "connecting":
        this.#rest();
        return [{ kind: "connected" }];
      case "sending":
        if (this.#segments.length > 0) return [this.#nextSegment()];
        if (this.#isExpecting) return [this.#nextRequest()];
        this.#rest();
        return [];
      case "asking":
        if (!this.#isExpecting) {
          this.#rest();
          return [];
        }
        this.#last = undefined;
        this.#due = this.#now + this.#options.pollIntervalMilliseconds;
        return [];
      case "disconnected":
      case "idle":
        return [];
      default:
        return this.#state satisfies never;
    }
  }

  #takeSegment(frame: MbusFrame): readonly MbusClientAction[] {
    try {
      const apdu = this.#responses.push(frame);
      if (apdu === undefined) return [this.#nextRequest()];
      this.#rest();
      return [{ kind: "apdu", apdu }];
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      return [this.#fail(error)];
    }
  }

  #takeNotification(frame: MbusFrame): readonly MbusClientAction[] {
    try {
      const apdu = this.#notifications.push(frame);
      return apdu === undefined ? [] : [{ kind: "notification", apdu }];
    } catch (error) {
      if (error instanceof LineError) return [];
      throw error;
    }
  }

  #timeOut(): readonly MbusClientAction[] {
    this.#frames.reset();
    if (this.#last === undefined) return [this.#nextRequest()];
    if (this.#left > 0) {
      this.#left -= 1;
      this.#due = this.#now + this.#options.frameTimeoutMilliseconds;
      return [{ kind: "transmit", octets: this.#last }];
    }
    const { frameTimeoutMilliseconds, retries, address } = this.#options;
    const asked = `within ${frameTimeoutMilliseconds} ms, asked ${retries + 1} times`;
    return [this.#fail(new LineError("line-silent", `no answer from M-Bus address ${address} ${asked}`))];
  }

  #nextSegment(): MbusClientAction {
    const { address, clientSap, serverSap } = this.#options;
    const segment = this.#segments.shift();
    if (segment === undefined) return this.#nextRequest();
    const control = MBUS_CONTROL.sendUserData | this.#count();
    const { information, octets } = segment;
    const fields = { control, address, information, source: clientSap, destination: serverSap };
    return this.#ask("sending", encodeMbusSegment(fields, octets));
  }

  #nextRequest(): MbusClientAction {
    const control = MBUS_CONTROL.requestUserData | this.#count();
    return this.#ask("asking", encodeMbusShort(control, this.#options.address));
  }

  #count(): number {
    this.#frameCount = !this.#frameCount;
    return this.#frameCount ? FRAME_COUNT_BIT : 0;
  }

  #ask(state: State, octets: Uint8Array): MbusClientAction {
    this.#state = state;
    this.#last = octets;
    this.#left = this.#options.retries;
    this.#due = this.#now + this.#options.frameTimeoutMilliseconds;
    return { kind: "transmit", octets };
  }

  #rest(): void {
    this.#state = "idle";
    this.#last = undefined;
    this.#due = undefined;
    this.#isExpecting = false;
  }

  #requireIdle(what: string): void {
    if (this.#state !== "idle") throw new LineError("line-misused", `${what} while the M-Bus is ${this.#state}`);
  }

  #fail(error: LineError): MbusClientAction {
    this.#rest();
    this.#state = "disconnected";
    return { kind: "failed", error };
  }
}

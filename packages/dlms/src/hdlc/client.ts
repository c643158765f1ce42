import { NO_BYTES } from "../bytes.ts";
import { DecodeError } from "../errors.ts";
import { encodeHdlc, type HdlcFrame } from "../link/hdlc.ts";
import { LineError } from "../link/line-error.ts";
import { addressHex, broadcastAddress, clientAddressOctets, serverAddressOctets } from "./address.ts";
import type { HdlcClientAction, HdlcClientEvent, HdlcClientOptions } from "./client-events.ts";
import { controlOctet, type HdlcControl, type NumberedControl, readControl } from "./control.ts";
import { describeFrameReject } from "./frame-reject.ts";
import { HdlcFrameStream } from "./frame-stream.ts";
import { NumberedFrames } from "./numbered-frames.ts";
import {
  DEFAULT_HDLC_PARAMETERS,
  decodeParameters,
  type HdlcParameters,
  hdlcParameters,
  negotiate,
  proposalOctets,
} from "./parameters.ts";
import { SegmentJoiner, segment } from "./segments.ts";

type State =
  | { readonly kind: "disconnected" }
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly numbers: NumberedFrames; readonly parameters: HdlcParameters }
  | { readonly kind: "disconnecting" };

const DEFAULTS = {
  frameTimeoutMilliseconds: 5000,
  retries: 3,
  interOctetTimeoutMilliseconds: 1000,
  pollIntervalMilliseconds: 200,
  maxApduBytes: 65_535,
};

/**
 * The primary station of an HDLC connection: a DLMS client (IEC 62056-46, 6.4.4; unbalanced class, normal response
 * mode, two-way alternate).
 *
 * States: *disconnected*; *connecting* (SNRM sent, UA or DM awaited); *connected*, either idle or with the turn given
 * away: a poll (P = 1) is out and ends with a final frame (F = 1); *disconnecting* (DISC sent). Whatever goes beyond
 * the retries, a DM or an FRMR lead to *disconnected*.
 *
 * While the turn is away nothing is sent. When it comes back, frames that were not acknowledged go again (checkpoint
 * recovery), further segments follow, and a response that is incomplete is polled for with RR. When nothing comes in
 * time, what was sent is sent again; the server knows it by N(S) and repeats what we have not acknowledged by N(R).
 *
 * Time is an argument of {@link step}, in milliseconds of any origin. {@link deadline} says when to send a `time` event.
 */
export class HdlcClient {
  readonly #options: HdlcClientOptions & typeof DEFAULTS;
  readonly #own: HdlcParameters;
  readonly #client: Uint8Array;
  readonly #server: Uint8Array;
  readonly #frames = new HdlcFrameStream();
  readonly #responses: SegmentJoiner;
  readonly #notifications: SegmentJoiner;
  #state: State = { kind: "disconnected" };
  /** The poll that is out is answered until then; or, without one, the next poll is due. */
  #due: number | undefined;
  #octetDue: number | undefined;
  #isPolling = false;
  /** Whether an APDU is still to come before the connection is idle again. */
  #isExpecting = false;
  /** Repetitions without anything new. */
  #fruitless = 0;
  /** What was strange in the answers, for the message when it comes to an error. */
  #oddity = "";
  /** The frame that polled last, when no I frame did. */
  #lastPoll: Uint8Array = NO_BYTES;
  /** APDUs that are whole, until the turn comes back. */
  #complete: Uint8Array[] = [];
  #now = 0;

  /** @throws DlmsError `out-of-range` for addresses or parameters that do not exist. */
  constructor(options: HdlcClientOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#own = hdlcParameters(options.parameters);
    this.#client = clientAddressOctets(options.clientAddress);
    this.#server = serverAddressOctets(options.server);
    const { maxApduBytes } = this.#options;
    const { answersWithCommandLlc = false, omitsLlc = false } = options.quirks ?? {};
    this.#responses = new SegmentJoiner(
      maxApduBytes,
      answersWithCommandLlc ? ["response", "command"] : ["response"],
      omitsLlc,
    );
    this.#notifications = new SegmentJoiner(maxApduBytes, ["response", "command"]);
  }

  /** When the next `time` event is due; undefined while nothing is waited for. */
  get deadline(): number | undefined {
    if (this.#due === undefined || this.#octetDue === undefined) return this.#due ?? this.#octetDue;
    return Math.min(this.#due, this.#octetDue);
  }

  get isConnected(): boolean {
    return this.#state.kind === "connected";
  }

  /** Whether a request can be sent: connected, and no answer awaited. */
  get isIdle(): boolean {
    return this.#state.kind === "connected" && !this.#isExpecting && !this.#isPolling;
  }

  /** Frames of the other station that failed a check. */
  get damagedFrames(): number {
    return this.#frames.damagedFrames;
  }

  /**
   * Takes an event and gives what to do, in order.
   *
   * @throws LineError `line-misused` for a `send` or `expect` while an answer is awaited or no connection is there.
   */
  step(event: HdlcClientEvent, now: number): readonly HdlcClientAction[] {
    this.#now = now;
    switch (event.kind) {
      case "connect":
        return this.#connect();
      case "send":
        return this.#request(event.apdu, event.expectsAnswer !== false);
      case "expect":
        return this.#expect();
      case "abandon":
        return this.#abandon();
      case "datagram":
        return this.#datagram(event.apdu, event.broadcast === true);
      case "octets":
        return this.#receive(event.octets);
      case "time":
        return this.#timeOut();
      case "disconnect":
        return this.#disconnect();
      default:
        return event satisfies never;
    }
  }

  #connect(): readonly HdlcClientAction[] {
    this.#reset({ kind: "connecting" });
    this.#frames.reset();
    return [this.#poll({ kind: "SNRM", pollFinal: true }, proposalOctets(this.#own))];
  }

  #request(apdu: Uint8Array, expectsAnswer: boolean): readonly HdlcClientAction[] {
    const { numbers, parameters } = this.#idle("a request");
    numbers.enqueue(segment(apdu, "command", parameters.maxTransmitBytes, this.#options.quirks?.segments));
    this.#isExpecting = expectsAnswer;
    this.#fruitless = 0;
    return this.#burst(numbers);
  }

  #expect(): readonly HdlcClientAction[] {
    const { numbers } = this.#idle("a poll for more");
    this.#isExpecting = true;
    this.#fruitless = 0;
    return [this.#pollForMore(numbers)];
  }

  #abandon(): readonly HdlcClientAction[] {
    this.#isExpecting = false;
    if (this.#state.kind === "connected" && !this.#isPolling) this.#rest();
    return [];
  }

  #datagram(apdu: Uint8Array, broadcast: boolean): readonly HdlcClientAction[] {
    const destination = broadcast ? serverAddressOctets(broadcastAddress(this.#options.server)) : this.#server;
    const control = controlOctet({ kind: "UI", pollFinal: false });
    return segment(apdu, "command", this.#own.maxTransmitBytes).map(({ information, segmented }) => ({
      kind: "transmit",
      octets: encodeHdlc({ destination, source: this.#client, control, segmented, information }),
    }));
  }

  #disconnect(): readonly HdlcClientAction[] {
    if (this.#state.kind === "disconnected") return [{ kind: "disconnected" }];
    this.#reset({ kind: "disconnecting" });
    return [this.#poll({ kind: "DISC", pollFinal: true })];
  }

  #receive(octets: Uint8Array): readonly HdlcClientAction[] {
    const actions: HdlcClientAction[] = [];
    for (const frame of this.#frames.push(octets)) {
      const isForUs = frame.destination === addressHex(this.#client) && frame.source === addressHex(this.#server);
      const control = isForUs ? readControl(frame.control) : undefined;
      if (control !== undefined) actions.push(...this.#takeFrame(control, frame));
    }
    const { interOctetTimeoutMilliseconds } = this.#options;
    this.#octetDue = this.#frames.isUnfinished ? this.#now + interOctetTimeoutMilliseconds : undefined;
    return actions;
  }

  #takeFrame(control: HdlcControl, frame: HdlcFrame): readonly HdlcClientAction[] {
    if (control.kind === "UI") return this.#takeNotification(frame);
    const { kind } = this.#state;
    switch (control.kind) {
      case "UA":
        if (kind === "connecting") return this.#accepted(frame.information);
        return kind === "disconnecting" ? this.#ended() : [];
      case "DM":
        if (kind === "disconnecting") return this.#ended();
        if (kind === "connecting") return this.#fail("line-refused", "the meter refuses the connection (DM)");
        return kind === "connected" ? this.#fail("line-closed", "the meter has ended the connection (DM)") : [];
      case "FRMR": {
        if (kind !== "connected") return [];
        return this.#fail(
          "line-rejected",
          `the meter rejects a frame (FRMR) ${describeFrameReject(frame.information)}`,
        );
      }
      case "I":
      case "RR":
      case "RNR":
      case "REJ":
        return this.#state.kind === "connected" ? this.#takeResponse(this.#state.numbers, control, frame) : [];
      case "SNRM":
      case "DISC":
        // Commands: no server sends them.
        return [];
      default:
        return control satisfies never;
    }
  }

  #accepted(information: Uint8Array): readonly HdlcClientAction[] {
    let parameters: HdlcParameters;
    try {
      parameters = information.length === 0 ? DEFAULT_HDLC_PARAMETERS : decodeParameters(information);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return this.#fail("line-rejected", `the meter's answer to SNRM makes no sense: ${error.message}`);
    }
    const agreed = negotiate(this.#own, parameters);
    this.#reset({ kind: "connected", numbers: new NumberedFrames(agreed), parameters: agreed });
    this.#rest();
    return [{ kind: "connected", parameters: agreed }];
  }

  #takeNotification({ information, segmented }: HdlcFrame): readonly HdlcClientAction[] {
    try {
      const apdu = this.#notifications.push(information, segmented);
      return apdu === undefined ? [] : [{ kind: "notification", apdu }];
    } catch (error) {
      if (error instanceof LineError) return [];
      throw error;
    }
  }

  #takeResponse(numbers: NumberedFrames, control: NumberedControl, frame: HdlcFrame): readonly HdlcClientAction[] {
    // A server may speak only while it has the turn.
    if (!this.#isPolling) return [];
    const arrival = control.kind === "I" ? numbers.receive(control.sendNumber) : undefined;
    if (arrival === "next" && this.#options.quirks?.neverAcknowledges === true) numbers.acknowledgeAll();
    else {
      const acknowledged = numbers.acknowledge(control.receiveNumber);
      if (acknowledged === undefined) {
        // Late copies of old frames look like this; what comes of it, the time-out decides.
        this.#oddity = `; it acknowledged frame ${control.receiveNumber}, which is not one that waits`;
        return [];
      }
      if (acknowledged > 0) this.#fruitless = 0;
      // The answer to an earlier copy of our poll: to take it for the answer to this one would double every exchange.
      else if (arrival === "repeated") return [];
    }
    if (arrival === "next") {
      this.#fruitless = 0;
      const refused = this.#takeSegment(frame);
      if (refused !== undefined) return refused;
    }
    if (!control.pollFinal) return [];
    return this.#turnIsBack(numbers, control.kind === "RNR", arrival === "next");
  }

  #takeSegment({ information, segmented }: HdlcFrame): readonly HdlcClientAction[] | undefined {
    try {
      const apdu = this.#responses.push(information, segmented);
      if (apdu !== undefined) this.#complete.push(apdu);
      return undefined;
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      return this.#fail(error.code, error.message);
    }
  }

  #turnIsBack(numbers: NumberedFrames, isBusy: boolean, isNew: boolean): readonly HdlcClientAction[] {
    this.#isPolling = false;
    this.#due = undefined;
    if (this.#complete.length > 0 && !this.#responses.isUnfinished) {
      const actions = this.#complete.map((apdu): HdlcClientAction => ({ kind: "apdu", apdu }));
      this.#complete = [];
      this.#isExpecting = false;
      if (!numbers.isPending) {
        this.#rest();
        return actions;
      }
      return [...actions, ...this.#burst(numbers)];
    }
    if (isBusy) return this.#pollLater();
    if (numbers.isPending) {
      // Without progress the server repeats that it lacks the same frame.
      this.#fruitless += 1;
      return this.#fruitless > this.#options.retries + 1 ? this.#silent() : this.#burst(numbers);
    }
    if (!this.#isExpecting) {
      this.#rest();
      return [];
    }
    return isNew || this.#responses.isUnfinished ? [this.#pollForMore(numbers)] : this.#pollLater();
  }

  #pollLater(): readonly HdlcClientAction[] {
    this.#due = this.#now + this.#options.pollIntervalMilliseconds;
    return [];
  }

  #timeOut(): readonly HdlcClientAction[] {
    if (this.#octetDue !== undefined && this.#now >= this.#octetDue) {
      this.#frames.reset();
      this.#octetDue = undefined;
    }
    if (this.#due === undefined || this.#now < this.#due) return [];
    const { kind } = this.#state;
    if (kind === "disconnected") return [];
    if (!this.#isPolling && this.#state.kind === "connected") return [this.#pollForMore(this.#state.numbers)];
    this.#fruitless += 1;
    // Whoever hangs up need not be sure that it was heard: the server ends the connection by itself.
    if (kind === "disconnecting" && this.#fruitless > Math.min(1, this.#options.retries)) return this.#ended();
    if (this.#fruitless > this.#options.retries) return this.#silent();
    if (this.#state.kind === "connected" && this.#state.numbers.isPending) return this.#burst(this.#state.numbers);
    return [this.#repeatPoll()];
  }

  #silent(): readonly HdlcClientAction[] {
    const waited = this.#options.frameTimeoutMilliseconds;
    const asked = `asked ${this.#options.retries + 1} times`;
    return this.#fail("line-silent", `the meter gives no answer of use within ${waited} ms, ${asked}${this.#oddity}`);
  }

  #burst(numbers: NumberedFrames): readonly HdlcClientAction[] {
    const frames = numbers.burst();
    this.#awaitFinal();
    return frames.map(({ sendNumber, information, segmented }, index) => {
      const pollFinal = index === frames.length - 1;
      const control = controlOctet({ kind: "I", sendNumber, receiveNumber: numbers.receiveNumber, pollFinal });
      return { kind: "transmit", octets: this.#frame(control, information, segmented) };
    });
  }

  #pollForMore(numbers: NumberedFrames): HdlcClientAction {
    return this.#poll({ kind: "RR", receiveNumber: numbers.receiveNumber, pollFinal: true });
  }

  /** Polls again for the same; only the receive number may have changed since. */
  #repeatPoll(): HdlcClientAction {
    if (this.#state.kind === "connected") return this.#pollForMore(this.#state.numbers);
    this.#awaitFinal();
    return { kind: "transmit", octets: this.#lastPoll };
  }

  #poll(control: HdlcControl, information: Uint8Array = NO_BYTES): HdlcClientAction {
    this.#lastPoll = this.#frame(controlOctet(control), information.length === 0 ? undefined : information);
    this.#awaitFinal();
    return { kind: "transmit", octets: this.#lastPoll };
  }

  #frame(control: number, information: Uint8Array | undefined, segmented = false): Uint8Array {
    const addressed = { destination: this.#server, source: this.#client, control, segmented };
    return encodeHdlc(information === undefined ? addressed : { ...addressed, information });
  }

  #awaitFinal(): void {
    this.#isPolling = true;
    this.#due = this.#now + this.#options.frameTimeoutMilliseconds;
  }

  /** Idle: nothing is waited for but the next sign of life. */
  #rest(): void {
    const { keepAliveMilliseconds } = this.#options;
    this.#due = keepAliveMilliseconds === undefined ? undefined : this.#now + keepAliveMilliseconds;
  }

  #idle(what: string): Extract<State, { kind: "connected" }> {
    if (this.#state.kind !== "connected") throw new LineError("line-misused", `${what} without an HDLC connection`);
    if (this.#isExpecting || this.#isPolling)
      throw new LineError("line-misused", `${what} while an answer is awaited on the HDLC connection`);
    return this.#state;
  }

  #ended(): readonly HdlcClientAction[] {
    this.#reset({ kind: "disconnected" });
    return [{ kind: "disconnected" }];
  }

  #fail(code: LineError["code"], message: string): readonly HdlcClientAction[] {
    this.#reset({ kind: "disconnected" });
    return [{ kind: "failed", error: new LineError(code, message) }];
  }

  #reset(state: State): void {
    this.#state = state;
    this.#due = undefined;
    this.#isPolling = false;
    this.#isExpecting = false;
    this.#fruitless = 0;
    this.#oddity = "";
    this.#complete = [];
    this.#responses.reset();
  }
}

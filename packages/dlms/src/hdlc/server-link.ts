import { equalBytes, NO_BYTES } from "../bytes.ts";
import { DecodeError } from "../errors.ts";
import { encodeHdlc, type HdlcFrame } from "../link/hdlc.ts";
import { LineError } from "../link/line-error.ts";
import { controlOctet, type HdlcControl, type NumberedControl, readControl } from "./control.ts";
import { frameRejectOctets, type Rejection } from "./frame-reject.ts";
import { NumberedFrames } from "./numbered-frames.ts";
import { decodeParameters, encodeParameters, type HdlcParameters, negotiate } from "./parameters.ts";
import { SegmentJoiner, type SegmentLimits, segment } from "./segments.ts";
import type { DisconnectReason, HdlcPeer, HdlcServerAction } from "./server-events.ts";

/** What a link knows of its station. */
export interface HdlcLinkSettings {
  readonly own: HdlcParameters;
  readonly maxApduBytes: number;
  readonly segments: SegmentLimits | undefined;
  readonly isBusy: () => boolean;
  /** Whether one more connection may be made. */
  readonly mayConnect: () => boolean;
}

type State =
  | { readonly kind: "disconnected" }
  | { readonly kind: "connected"; readonly numbers: NumberedFrames; readonly parameters: HdlcParameters }
  /** A frame that cannot be was answered with this FRMR, and all others are until SNRM or DISC. */
  | { readonly kind: "rejecting"; readonly information: Uint8Array };

/**
 * The secondary station towards one client (IEC 62056-46, 6.4.4; normal response mode): it speaks only when it is
 * polled, keeps what it has sent until it is acknowledged, and repeats it when a poll shows that it was not received.
 *
 * States: *disconnected* (normal disconnected mode: everything but SNRM gets DM); *connected*, where a request may be
 * *at work* above and the turn (the permission to send, given by P = 1) may be held for its response; *rejecting*.
 *
 * A poll during the work is answered with RR, so that the client knows that we live; the response then waits for the
 * next poll.
 */
export class HdlcServerLink {
  /** Octets of the client's address, and of ours as this client writes it. */
  readonly #client: Uint8Array;
  readonly #server: Uint8Array;
  readonly #settings: HdlcLinkSettings;
  readonly #requests: SegmentJoiner;
  #state: State = { kind: "disconnected" };
  /** Made anew with each connection, so that an answer to an earlier one is known as such. */
  #peer: HdlcPeer;
  /** Requests that the layer above has not answered. */
  #atWork = 0;
  #hasTurn = false;
  #peerIsBusy = false;
  #notifications: Uint8Array[] = [];

  constructor(peer: HdlcPeer, client: Uint8Array, server: Uint8Array, settings: HdlcLinkSettings) {
    this.#peer = peer;
    this.#client = client;
    this.#server = server;
    this.#settings = settings;
    this.#requests = new SegmentJoiner(settings.maxApduBytes, ["command"]);
  }

  /** The address octets with which this client calls us. */
  isCalled(server: Uint8Array): boolean {
    return equalBytes(this.#server, server);
  }

  get isConnected(): boolean {
    return this.#state.kind === "connected";
  }

  /** Whether nothing has to be remembered of this client. */
  get isForgotten(): boolean {
    return this.#state.kind === "disconnected";
  }

  /** Takes a frame that is for this link; UI frames are the station's business. */
  take(frame: HdlcFrame): readonly HdlcServerAction[] {
    const control = readControl(frame.control);
    if (control === undefined) return this.#unknown(frame.control);
    switch (control.kind) {
      case "SNRM":
        return this.#connect(frame.information, control.pollFinal);
      case "DISC":
        return this.#disconnect(control.pollFinal);
      case "I":
      case "RR":
      case "RNR":
      case "REJ":
        return this.#takeNumbered(control, frame);
      default:
        // Responses: no client sends them.
        return [];
    }
  }

  /** Answers a request of this connection, or says more than was asked; what belongs to one that is over is dropped. */
  respond(peer: HdlcPeer, apdus: readonly Uint8Array[]): readonly HdlcServerAction[] {
    if (this.#state.kind !== "connected" || peer !== this.#peer) return [];
    this.#atWork = Math.max(0, this.#atWork - 1);
    const { numbers, parameters } = this.#state;
    for (const apdu of apdus)
      numbers.enqueue(segment(apdu, "response", parameters.maxTransmitBytes, this.#settings.segments));
    return this.#hasTurn ? this.#takeTurn(numbers) : [];
  }

  /** Sends an APDU unasked: at once while nobody is connected, else before the next answer. */
  notify(apdu: Uint8Array): readonly HdlcServerAction[] {
    const control = controlOctet({ kind: "UI", pollFinal: false });
    const limit = this.#state.kind === "connected" ? this.#state.parameters : this.#settings.own;
    const frames = segment(apdu, "response", limit.maxTransmitBytes).map(({ information, segmented }) =>
      this.#octets(control, information, segmented),
    );
    if (this.isConnected && !this.#hasTurn) {
      this.#notifications.push(...frames);
      return [];
    }
    return frames.map(transmit);
  }

  /** Ends the connection without a word. */
  end(reason: DisconnectReason): readonly HdlcServerAction[] {
    return this.#end(reason);
  }

  #unknown(control: number): readonly HdlcServerAction[] {
    if (this.#state.kind === "disconnected") return this.#refuse(true);
    if (this.#state.kind === "rejecting") return [this.#frameReject(this.#state.information)];
    return this.#reject(control, "unknown-command");
  }

  #connect(information: Uint8Array, poll: boolean): readonly HdlcServerAction[] {
    let proposed: HdlcParameters;
    try {
      proposed = decodeParameters(information);
    } catch (error) {
      if (error instanceof DecodeError) return this.#refuse(poll);
      throw error;
    }
    const ended = this.#end("snrm");
    if (!this.#settings.mayConnect()) return [...ended, ...this.#refuse(poll)];
    const agreed = negotiate(this.#settings.own, proposed);
    this.#peer = { ...this.#peer };
    this.#state = { kind: "connected", numbers: new NumberedFrames(agreed), parameters: agreed };
    const answer = this.#octets(controlOctet({ kind: "UA", pollFinal: poll }), encodeParameters(agreed));
    return [...ended, { kind: "connected", peer: this.#peer, parameters: agreed }, transmit(answer)];
  }

  #disconnect(poll: boolean): readonly HdlcServerAction[] {
    if (this.#state.kind === "disconnected") return this.#refuse(poll);
    const ended = this.#end("disc");
    return [...ended, transmit(this.#octets(controlOctet({ kind: "UA", pollFinal: poll })))];
  }

  #takeNumbered(control: NumberedControl, frame: HdlcFrame): readonly HdlcServerAction[] {
    if (this.#state.kind === "disconnected") return this.#refuse(control.pollFinal);
    if (this.#state.kind === "rejecting") return control.pollFinal ? [this.#frameReject(this.#state.information)] : [];
    const { numbers, parameters } = this.#state;
    if (control.kind !== "I" && frame.information.length > 0)
      return this.#reject(frame.control, "information-not-permitted");
    if (frame.information.length > parameters.maxReceiveBytes)
      return this.#reject(frame.control, "information-too-long");
    const isBusy = this.#settings.isBusy();
    const arrival = control.kind === "I" && !isBusy ? numbers.receive(control.sendNumber) : undefined;
    // A late copy of an old frame acknowledges what has long been acknowledged; a new one must make sense.
    if (numbers.acknowledge(control.receiveNumber) === undefined && arrival !== "repeated")
      return this.#reject(frame.control, "wrong-receive-number");
    this.#peerIsBusy = control.kind === "RNR";
    const actions = arrival === "next" ? this.#takeSegment(frame) : [];
    if (!this.isConnected || !control.pollFinal) return actions;
    const isNewWork = actions.length > 0;
    this.#hasTurn = true;
    return isNewWork ? actions : [...actions, ...this.#takeTurn(numbers)];
  }

  #takeSegment({ control, information, segmented }: HdlcFrame): readonly HdlcServerAction[] {
    try {
      const apdu = this.#requests.push(information, segmented);
      if (apdu === undefined) return [];
      this.#atWork += 1;
      return [{ kind: "apdu", peer: this.#peer, apdu }];
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      // What has no LLC header is not for the layer above, and is dropped (IEC 62056-46, 5.3.2).
      return error.code === "apdu-too-long" ? this.#reject(control, "information-too-long") : [];
    }
  }

  /** Uses the turn: notifications first, then all that the window holds, or else a sign of life. */
  #takeTurn(numbers: NumberedFrames): readonly HdlcServerAction[] {
    this.#hasTurn = false;
    const notifications = this.#notifications;
    this.#notifications = [];
    const frames = this.#peerIsBusy ? [] : numbers.burst();
    const { receiveNumber } = numbers;
    const octets = frames.map(({ sendNumber, information, segmented }, index) => {
      const pollFinal = index === frames.length - 1;
      return this.#octets(controlOctet({ kind: "I", sendNumber, receiveNumber, pollFinal }), information, segmented);
    });
    const kind = this.#settings.isBusy() ? "RNR" : "RR";
    if (octets.length === 0) octets.push(this.#octets(controlOctet({ kind, receiveNumber, pollFinal: true })));
    return [...notifications, ...octets].map(transmit);
  }

  #reject(control: number, reason: Rejection): readonly HdlcServerAction[] {
    const numbers = this.#state.kind === "connected" ? this.#state.numbers : undefined;
    const information = frameRejectOctets(control, numbers, reason);
    const ended = this.#end("frame-reject");
    this.#state = { kind: "rejecting", information };
    return [...ended, this.#frameReject(information)];
  }

  #frameReject(information: Uint8Array): HdlcServerAction {
    return transmit(this.#octets(controlOctet({ kind: "FRMR", pollFinal: true }), information));
  }

  #refuse(poll: boolean): readonly HdlcServerAction[] {
    const control: HdlcControl = { kind: "DM", pollFinal: true };
    return poll ? [transmit(this.#octets(controlOctet(control)))] : [];
  }

  #end(reason: DisconnectReason): readonly HdlcServerAction[] {
    const wasConnected = this.isConnected;
    this.#state = { kind: "disconnected" };
    this.#requests.reset();
    this.#atWork = 0;
    this.#hasTurn = false;
    this.#peerIsBusy = false;
    this.#notifications = [];
    return wasConnected ? [{ kind: "disconnected", peer: this.#peer, reason }] : [];
  }

  #octets(control: number, information: Uint8Array = NO_BYTES, segmented = false): Uint8Array {
    const addressed = { destination: this.#client, source: this.#server, control, segmented };
    return encodeHdlc(information.length === 0 ? addressed : { ...addressed, information });
  }
}

function transmit(octets: Uint8Array): HdlcServerAction {
  return { kind: "transmit", octets };
}

import { DlmsError } from "../errors.ts";
import { LineError } from "./line-error.ts";
import { MBUS_ACKNOWLEDGE, MbusFrameStream, type MbusMessage } from "./mbus-frame-stream.ts";
import { FRAME_COUNT_BIT, MBUS_ADDRESSES, MBUS_CONTROL, MbusJoiner } from "./mbus-link.ts";
import { encodeMbusSegment, type MbusFrame, mbusSegments } from "./wired-mbus.ts";

export interface MbusServerOptions {
  /** Primary address, 1 to 250. */
  readonly address: number;
  /** The logical devices that are here (transport selectors). */
  readonly serverSaps: readonly number[];
  /** Octets of the longest APDU taken; 4 000, which is what 16 segments hold, unless given. */
  readonly maxApduBytes?: number;
}

/** A client, and the logical device it speaks to, since the master has last initialised the slave. */
export interface MbusPeer {
  readonly clientSap: number;
  readonly serverSap: number;
}

export type MbusServerEvent =
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  /** What is answered to a request: kept until the master asks for it. */
  | { readonly kind: "respond"; readonly peer: MbusPeer; readonly apdus: readonly Uint8Array[] };

export type MbusServerAction =
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  | { readonly kind: "connected"; readonly peer: MbusPeer }
  | { readonly kind: "apdu"; readonly peer: MbusPeer; readonly apdu: Uint8Array }
  | { readonly kind: "disconnected"; readonly peer: MbusPeer };

/** Segments that wait for the master: 16 APDUs of the longest. */
const MOST_WAITING_SEGMENTS = 256;
const DEFAULT_MAX_APDU_BYTES = 4000;

/**
 * A slave on a wired M-Bus that speaks DLMS: a server (EN 13757-2). It speaks only when it is asked.
 *
 * States: a frame count bit *unknown* (after SND-NKE, when the next message is new whatever its bit) or *known*: a
 * message with the same bit as the last is its repetition, and gets the last answer again.
 */
export class MbusServer {
  readonly #options: MbusServerOptions;
  readonly #frames = new MbusFrameStream();
  readonly #requests: MbusJoiner;
  readonly #waiting: Uint8Array[] = [];
  #peer: MbusPeer | undefined;
  #lastControl: number | undefined;
  #lastAnswer: Uint8Array | undefined;

  constructor(options: MbusServerOptions) {
    this.#options = options;
    this.#requests = new MbusJoiner(options.maxApduBytes ?? DEFAULT_MAX_APDU_BYTES);
  }

  /**
   * Takes an event and gives what to do, in order.
   *
   * @throws DlmsError `out-of-range` for a response that takes more than 16 segments.
   */
  step(event: MbusServerEvent): readonly MbusServerAction[] {
    if (event.kind === "respond") return this.#respond(event.peer, event.apdus);
    return this.#frames.push(event.octets).flatMap((message) => this.#take(message));
  }

  /** The line was silent: a frame that has begun will not be completed. */
  pause(): void {
    this.#frames.reset();
  }

  #respond(peer: MbusPeer, apdus: readonly Uint8Array[]): readonly MbusServerAction[] {
    if (peer !== this.#peer) return [];
    for (const apdu of apdus)
      for (const { octets, information } of mbusSegments(apdu)) {
        if (this.#waiting.length >= MOST_WAITING_SEGMENTS)
          throw new DlmsError("out-of-range", `more than ${MOST_WAITING_SEGMENTS} M-Bus segments wait for the master`);
        const { address } = this.#options;
        const { clientSap, serverSap } = peer;
        const fields = { control: MBUS_CONTROL.respondUserData, address, information };
        this.#waiting.push(encodeMbusSegment({ ...fields, source: serverSap, destination: clientSap }, octets));
      }
    return [];
  }

  #take(message: MbusMessage): readonly MbusServerAction[] {
    if (message.kind === "acknowledge") return [];
    const { control, address } = message.kind === "short" ? message : message.frame;
    const isBroadcast = address === MBUS_ADDRESSES.broadcast;
    if (address !== this.#options.address && address !== MBUS_ADDRESSES.anySlave && !isBroadcast) return [];
    // Nobody answers a broadcast, and it has no part in the count of frames.
    if (isBroadcast) return message.kind === "long" ? this.#takeSegment(message.frame).actions : [];
    return this.#command(control, message);
  }

  #command(control: number, message: MbusMessage): readonly MbusServerAction[] {
    if (control === MBUS_CONTROL.sendNke && message.kind === "short") return this.#initialise();
    const kind = control & ~FRAME_COUNT_BIT;
    const isSend = kind === MBUS_CONTROL.sendUserData && message.kind === "long";
    const isRequest = kind === MBUS_CONTROL.requestUserData && message.kind === "short";
    if (!isSend && !isRequest) return [];
    if (this.#lastControl === control && this.#lastAnswer !== undefined) return [transmit(this.#lastAnswer)];
    const { actions, taken } = isSend ? this.#takeSegment(message.frame) : { actions: [], taken: true };
    // What is not taken gets no answer, so that the master learns of it.
    if (!taken) return actions;
    this.#lastControl = control;
    this.#lastAnswer = (isRequest ? this.#waiting.shift() : undefined) ?? Uint8Array.of(MBUS_ACKNOWLEDGE);
    return [...actions, transmit(this.#lastAnswer)];
  }

  #initialise(): readonly MbusServerAction[] {
    const ended: MbusServerAction[] = this.#peer === undefined ? [] : [{ kind: "disconnected", peer: this.#peer }];
    this.#peer = undefined;
    this.#lastControl = undefined;
    this.#lastAnswer = undefined;
    this.#waiting.length = 0;
    this.#requests.reset();
    return [...ended, transmit(Uint8Array.of(MBUS_ACKNOWLEDGE))];
  }

  #takeSegment(frame: MbusFrame): { readonly actions: readonly MbusServerAction[]; readonly taken: boolean } {
    const { source: clientSap, destination: serverSap } = frame;
    if (!this.#options.serverSaps.includes(serverSap)) return { actions: [], taken: false };
    const actions: MbusServerAction[] = [];
    if (this.#peer?.clientSap !== clientSap || this.#peer.serverSap !== serverSap) {
      if (this.#peer !== undefined) actions.push({ kind: "disconnected", peer: this.#peer });
      this.#waiting.length = 0;
      this.#requests.reset();
      this.#peer = { clientSap, serverSap };
      actions.push({ kind: "connected", peer: this.#peer });
    }
    try {
      const apdu = this.#requests.push(frame);
      if (apdu !== undefined) actions.push({ kind: "apdu", peer: this.#peer, apdu });
      return { actions, taken: true };
    } catch (error) {
      if (error instanceof LineError) return { actions, taken: false };
      throw error;
    }
  }
}

function transmit(octets: Uint8Array): MbusServerAction {
  return { kind: "transmit", octets };
}

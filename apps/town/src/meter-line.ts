import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { encodeWrapper } from "@meterkeep/dlms";
import { onOctets, TransportError, type WrapperApdu, WrapperFrames } from "@meterkeep/dlms-node";
import { flipped, type LineFault, type MeterConnection, type Served, type VirtualMeter } from "@meterkeep/meter";

/** How patient a meter is. */
export interface LinePatience {
  /** Silence after which it hangs up. */
  readonly idleMilliseconds: number;
  /** Time in which a wrapper frame that has begun must be complete. */
  readonly frameMilliseconds: number;
  /** How long a second client may wait for the first one's end: whoever hangs up and calls again at once must not find the line taken by itself. */
  readonly waitMilliseconds: number;
}

/** The patience of the town's meters. */
export const LINE_PATIENCE: LinePatience = {
  idleMilliseconds: 60_000,
  frameMilliseconds: 10_000,
  waitMilliseconds: 250,
};

/** Pairs of client and server that one connection may speak for. */
const MAX_SAP_PAIRS = 4;
/** Requests that who listens keeps: some sessions' worth. */
const MAX_HEARD = 200;

/** Lets answers out only when what they rest on is in memory. */
export interface Durability {
  /** Calls back after all that the meters have noted so far is in memory; at once where nothing is noted. */
  afterCommit(callback: () => void): void;
}

/**
 * The line of one meter, whichever of its addresses it is reached on: one connection at a time, others are refused, as meters behind 2N gateways do.
 *
 * States: free; taken by one socket until that closes; taken, with one more socket waiting briefly for its turn.
 */
export class MeterLine {
  readonly #meter: VirtualMeter;
  readonly #durability: Durability;
  readonly #patience: LinePatience;
  #socket: Socket | undefined;
  #held: Uint8Array | undefined;
  #waiting: { readonly socket: Socket; readonly timer: NodeJS.Timeout } | undefined;
  /** Whether who connects from now on is on the spot, at the meter's local interface: a town has no optical ports. */
  isOnTheSpot = false;
  /** What somebody on the line has heard, the newest last; nobody listens unless told to. */
  #heard: WrapperApdu[] | undefined;

  constructor(meter: VirtualMeter, durability: Durability, patience: LinePatience = LINE_PATIENCE) {
    this.#meter = meter;
    this.#durability = durability;
    this.#patience = patience;
  }

  /** Whether somebody is connected. */
  get taken(): boolean {
    return this.#socket !== undefined;
  }

  /** Somebody listens on the line from now on, and keeps the last requests as they travel. */
  eavesdrop(): void {
    this.#heard ??= [];
  }

  /** Who listens sends everything it heard once more, on a connection of its own. @returns how many requests */
  replay(): number {
    const connections = new Map<string, MeterConnection>();
    const heard = this.#heard ?? [];
    for (const { source, destination, apdu } of heard) {
      const pair = `${source} ${destination}`;
      const connection = connections.get(pair) ?? this.#meter.connect(source, destination);
      connections.set(pair, connection);
      this.#meter.serve(connection, apdu);
    }
    for (const connection of connections.values()) this.#meter.disconnect(connection);
    return heard.length;
  }

  /** Takes a connection, or refuses it where the line is taken. */
  accept(socket: Socket): void {
    socket.on("error", () => undefined);
    if (this.#socket === undefined) this.#serve(socket);
    else if (this.#waiting !== undefined) reset(socket);
    else {
      const timer = setTimeout(() => this.#refuseWaiting(), this.#patience.waitMilliseconds);
      this.#waiting = { socket, timer };
    }
  }

  #refuseWaiting(): void {
    clearTimeout(this.#waiting?.timer);
    if (this.#waiting !== undefined) reset(this.#waiting.socket);
    this.#waiting = undefined;
  }

  #serve(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(this.#patience.idleMilliseconds, () => socket.destroy());
    const frames = new WrapperFrames();
    const connections = new Map<number, MeterConnection>();
    let unfinished = 0;
    let frameTimer: NodeJS.Timeout | undefined;
    onOctets(socket, (chunk) => {
      const before = unfinished;
      try {
        unfinished += chunk.length;
        for (const frame of frames.push(chunk)) {
          unfinished -= HEADER_BYTES + frame.apdu.length;
          this.#answer(socket, connections, frame);
        }
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        socket.destroy();
        return;
      }
      // More octets of the same frame buy no more time.
      if (unfinished === before + chunk.length && frameTimer !== undefined) return;
      clearTimeout(frameTimer);
      frameTimer = unfinished > 0 ? setTimeout(() => socket.destroy(), this.#patience.frameMilliseconds) : undefined;
    });
    socket.on("close", () => {
      clearTimeout(frameTimer);
      for (const connection of connections.values()) this.#meter.disconnect(connection);
      if (this.#socket === socket) this.#release();
    });
  }

  /** Ends the connection, if there is one. */
  hangUp(): void {
    this.#refuseWaiting();
    const socket = this.#socket;
    this.#release();
    if (socket !== undefined) reset(socket);
  }

  #release(): void {
    this.#socket = undefined;
    this.#held = undefined;
    this.#meter.rest();
    if (this.#waiting === undefined) return;
    const { socket, timer } = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(timer);
    if (!socket.destroyed) this.#serve(socket);
  }

  #answer(socket: Socket, connections: Map<number, MeterConnection>, frame: WrapperApdu): void {
    // What arrives behind a reset is no longer heard.
    if (socket.destroyed) return;
    const { source, destination, apdu } = frame;
    const pair = source * 0x1_0000 + destination;
    let connection = connections.get(pair);
    if (connection === undefined) {
      if (connections.size >= MAX_SAP_PAIRS) throw new TransportError("frame-malformed", "too many pairs of SAPs");
      connection = this.#meter.connect(source, destination, this.isOnTheSpot ? "local" : "remote");
      connections.set(pair, connection);
    }
    if (this.#heard !== undefined) {
      this.#heard.push({ ...frame, apdu: Uint8Array.from(apdu) });
      if (this.#heard.length > MAX_HEARD) this.#heard.shift();
    }
    const served = this.#meter.serve(connection, apdu);
    this.#durability.afterCommit(() => this.#send(socket, frame, served));
  }

  #send(socket: Socket, { source, destination }: WrapperApdu, { response, following = [], fault }: Served): void {
    const write = (octets: Uint8Array): void => {
      if (socket.writable) socket.write(octets);
    };
    const frames = [...(response === undefined ? [] : [response]), ...following].map((apdu) =>
      encodeWrapper(destination, source, apdu),
    );
    const answer = frames.length === 0 ? undefined : Buffer.concat(frames);
    if (fault !== undefined) this.#sendWithFault(socket, fault, answer, write);
    else if (answer !== undefined) this.#writeInTurn(answer, write);
  }

  /** Writes an answer, and behind it the one that was held back. */
  #writeInTurn(answer: Uint8Array, write: (octets: Uint8Array) => void): void {
    write(answer);
    if (this.#held !== undefined) write(this.#held);
    this.#held = undefined;
  }

  #sendWithFault(
    socket: Socket,
    fault: LineFault,
    answer: Uint8Array | undefined,
    write: (octets: Uint8Array) => void,
  ): void {
    switch (fault.kind) {
      case "drop":
        return;
      case "delay": {
        const timer = setTimeout(() => answer !== undefined && write(answer), fault.milliseconds);
        socket.once("close", () => clearTimeout(timer));
        return;
      }
      case "reorder":
        // Goes out behind the next answer.
        this.#held = answer;
        return;
      case "duplicate":
        if (answer === undefined) return;
        write(answer);
        write(answer);
        return;
      case "truncate":
        if (answer !== undefined) write(answer.subarray(0, fault.octets));
        socket.end();
        return;
      case "flip":
        if (answer !== undefined) this.#writeInTurn(flipped(answer, fault.bit), write);
        return;
      case "flip-request":
        if (answer !== undefined) this.#writeInTurn(answer, write);
        return;
      case "reset":
        this.hangUp();
        return;
      case "crash-before":
      case "crash-after":
        this.hangUp();
        this.#meter.powerCycle();
        return;
      default:
        fault satisfies never;
    }
  }
}

/** As a meter does that loses its power; TLS knows no reset. */
function reset(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

const HEADER_BYTES = 8;

import type { Socket } from "node:net";
import type { Exchange, Line } from "@meterkeep/dlms";
import { AnswerQueue } from "./answer-queue.ts";
import type { ApduConnection, ConnectionSettings } from "./apdu-connection.ts";
import { FrameDeadline } from "./frame-deadline.ts";
import { type GatewayRoute, type GatewaySettings, gatewayRoute } from "./gateway-route.ts";
import { connectTcp, onOctets, type TcpTarget } from "./tcp.ts";
import { TransportError } from "./transport-error.ts";
import { type WrapperApdu, WrapperFrames, wrapped } from "./wrapper-frames.ts";

/** Whom a client speaks to through the wrapper (IEC 62056-47, 6.2). */
export interface WrapperAddresses {
  /** The client's service access point: 16 public, 1 management. */
  readonly clientSap: number;
  /** The server's: 1 is the management logical device. */
  readonly serverSap: number;
}

export interface WrapperTarget extends TcpTarget, WrapperAddresses, ConnectionSettings, GatewaySettings {
  /** Milliseconds in which a frame that has begun must be whole, however its octets drip; 10 000 unless given. */
  readonly frameTimeoutMilliseconds?: number;
}

const DEFAULT_FRAME_TIMEOUT_MILLISECONDS = 10_000;

/**
 * A TCP connection to one logical device of a meter, through the wrapper.
 *
 * States: open and idle; open with one exchange waiting; closed (by either side, an error, or a frame that is none).
 * A closed connection rejects what waits and every later exchange, and does not open again.
 */
export class WrapperConnection implements ApduConnection {
  readonly #socket: Socket;
  readonly #target: WrapperTarget;
  readonly #route: GatewayRoute;
  readonly #frames = new WrapperFrames();
  readonly #frameDeadline: FrameDeadline;
  readonly #answers: AnswerQueue;

  constructor(socket: Socket, target: WrapperTarget) {
    this.#socket = socket;
    this.#target = target;
    this.#route = gatewayRoute(target);
    this.#answers = new AnswerQueue(target, `${target.host}:${target.port}`, () => socket.destroy());
    const { frameTimeoutMilliseconds = DEFAULT_FRAME_TIMEOUT_MILLISECONDS } = target;
    this.#frameDeadline = new FrameDeadline(frameTimeoutMilliseconds, () =>
      this.#close("connection-closed", "the meter began a frame and did not end it"),
    );
    onOctets(socket, (chunk) => this.#receive(chunk));
    socket.on("error", (cause) => this.#close("connection-closed", `connection lost: ${cause.message}`, cause));
    socket.on("close", () => this.#close("connection-closed", "the meter closed the connection"));
  }

  /**
   * Sends an APDU and gives the next one that arrives from the same logical device.
   *
   * After a time-out or a cancellation the connection is closed: a late answer would be taken for the next one's.
   *
   * @throws TransportError `response-timeout`, `connection-closed`, `exchange-aborted`, or `exchange-busy` when an
   * exchange is still waiting.
   */
  readonly exchange: Exchange = (apdu, signal) => this.#answers.exchange(signal, () => this.send(apdu));

  /** The same connection one way at a time; silence is told as `undefined`, and the connection stays open. */
  readonly line: Line = {
    send: (apdu) => this.send(apdu),
    receive: (signal) => this.#answers.next(signal),
  };

  /** Sends an APDU without waiting for anything. */
  send(apdu: Uint8Array): void {
    this.#answers.requireOpen();
    const { clientSap, serverSap } = this.#target;
    this.#socket.write(wrapped(clientSap, serverSap, this.#route.outward(apdu)));
  }

  /** Closes the connection and waits until the socket is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close("connection-closed", "the connection was closed here");
    if (this.#socket.closed) return;
    await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
  }

  #receive(chunk: Uint8Array): void {
    let frames: readonly WrapperApdu[];
    try {
      frames = this.#frames.push(chunk);
      if (!this.#socket.destroyed) this.#frameDeadline.saw(this.#frames, frames.length);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#close(error.code, error.message);
      return;
    }
    for (const { source, destination, apdu } of frames) {
      const { clientSap, serverSap, onUnsolicited } = this.#target;
      const inward = this.#route.inward(apdu);
      if (source === serverSap && destination === clientSap && inward !== undefined) this.#answers.deliver(inward);
      else onUnsolicited?.(apdu);
    }
  }

  #close(code: TransportError["code"], message: string, cause?: unknown): void {
    this.#frameDeadline.clear();
    this.#answers.close(new TransportError(code, message, cause === undefined ? {} : { cause }));
  }
}

/** Connects to a meter over TCP with the wrapper. @throws TransportError as `connectTcp`. */
export async function connectWrapper(target: WrapperTarget): Promise<WrapperConnection> {
  return new WrapperConnection(await connectTcp(target), target);
}

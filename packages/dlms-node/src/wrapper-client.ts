import type { Socket } from "node:net";
import { type Cancellation, type Exchange, encodeWrapper, type Line } from "@meterkeep/dlms";
import { connectTcp, onOctets, type TcpTarget } from "./tcp.ts";
import { TransportError } from "./transport-error.ts";
import { type WrapperApdu, WrapperFrames } from "./wrapper-frames.ts";

export interface WrapperTarget extends TcpTarget {
  /** The client's service access point: 16 public, 1 management. */
  readonly clientSap: number;
  /** The server's: 1 is the management logical device. */
  readonly serverSap: number;
  /** Milliseconds to wait for each answer; 30 000 unless given. */
  readonly responseTimeoutMilliseconds?: number;
  /** Called with APDUs that nobody asked for, a data-notification on the same connection for instance. */
  readonly onUnsolicited?: (apdu: Uint8Array) => void;
}

const DEFAULT_RESPONSE_TIMEOUT_MILLISECONDS = 30_000;
/** data-notification and event-notification-request: never the answer to a request. */
const UNSOLICITED_TAGS: ReadonlySet<number> = new Set([0x0f, 0xc2]);

/** general-block-transfer: blocks in a row come before anybody waits for the second. */
const BLOCK_TAG = 0xe0;
/** A window holds no more. */
const MOST_EARLY_BLOCKS = 64;

interface Waiting {
  readonly resolve: (apdu: Uint8Array | undefined) => void;
  readonly reject: (error: TransportError) => void;
}

/**
 * A TCP connection to one logical device of a meter, through the wrapper.
 *
 * States: open and idle; open with one exchange waiting; closed (by either side, an error, or a frame that is none).
 * A closed connection rejects what waits and every later exchange, and does not open again.
 */
export class WrapperConnection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #target: WrapperTarget;
  readonly #frames = new WrapperFrames();
  /** Blocks that came before anybody waited for them. */
  readonly #early: Uint8Array[] = [];
  #waiting: Waiting | undefined;
  #closed: TransportError | undefined;

  constructor(socket: Socket, target: WrapperTarget) {
    this.#socket = socket;
    this.#target = target;
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
  readonly exchange: Exchange = (apdu, signal) => this.#exchange(apdu, signal);

  /** The same connection one way at a time; silence is told as `undefined`, and the connection stays open. */
  readonly line: Line = {
    send: (apdu) => this.send(apdu),
    receive: (signal) => this.#wait(signal, () => {}, "stay-open"),
  };

  /** Sends an APDU without waiting for anything. */
  send(apdu: Uint8Array): void {
    if (this.#closed !== undefined) throw this.#closed;
    this.#socket.write(encodeWrapper(this.#target.clientSap, this.#target.serverSap, apdu));
  }

  /** Closes the connection and waits until the socket is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close("connection-closed", "the connection was closed here");
    if (this.#socket.closed) return;
    await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
  }

  async #exchange(apdu: Uint8Array, signal: Cancellation): Promise<Uint8Array> {
    // Left over from a transfer that was given up: no answer to what is asked now.
    this.#early.length = 0;
    return (await this.#wait(signal, () => this.send(apdu), "close")) as Uint8Array;
  }

  async #wait(
    signal: Cancellation,
    begin: () => void,
    onSilence: "close" | "stay-open",
  ): Promise<Uint8Array | undefined> {
    const early = this.#early.shift();
    if (early !== undefined) return early;
    if (this.#waiting !== undefined)
      throw new TransportError("exchange-busy", "one exchange at a time: await the last");
    const where = `${this.#target.host}:${this.#target.port}`;
    if (signal.aborted) throw new TransportError("exchange-aborted", `cancelled before sending to ${where}`);
    const timeout = this.#target.responseTimeoutMilliseconds ?? DEFAULT_RESPONSE_TIMEOUT_MILLISECONDS;
    const abort = () => this.#close("exchange-aborted", `the exchange with ${where} was cancelled`, signal.reason);
    const silent = () => {
      if (onSilence === "close") return this.#close("response-timeout", `no answer from ${where} in ${timeout} ms`);
      this.#waiting?.resolve(undefined);
      this.#waiting = undefined;
    };
    const timer = setTimeout(silent, timeout);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await new Promise<Uint8Array | undefined>((resolve, reject) => {
        if (this.#closed !== undefined) return reject(this.#closed);
        this.#waiting = { resolve, reject };
        begin();
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  #receive(chunk: Uint8Array): void {
    let frames: readonly WrapperApdu[];
    try {
      frames = this.#frames.push(chunk);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#close(error.code, error.message);
      return;
    }
    for (const frame of frames) this.#deliver(frame);
  }

  #deliver({ source, destination, apdu }: WrapperApdu): void {
    const { clientSap, serverSap, onUnsolicited } = this.#target;
    const ours = source === serverSap && destination === clientSap;
    if (ours && this.#waiting !== undefined && !UNSOLICITED_TAGS.has(apdu[0] ?? 0)) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(apdu);
    } else if (ours && apdu[0] === BLOCK_TAG && this.#early.length < MOST_EARLY_BLOCKS) this.#early.push(apdu);
    else onUnsolicited?.(apdu);
  }

  #close(code: TransportError["code"], message: string, cause?: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = new TransportError(code, message, cause === undefined ? {} : { cause });
    this.#waiting?.reject(this.#closed);
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}

/** Connects to a meter over TCP with the wrapper. @throws TransportError as `connectTcp`. */
export async function connectWrapper(target: WrapperTarget): Promise<WrapperConnection> {
  return new WrapperConnection(await connectTcp(target), target);
}

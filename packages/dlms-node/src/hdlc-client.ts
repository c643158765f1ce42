import type { Duplex } from "node:stream";
import {
  type Cancellation,
  type Exchange,
  HdlcClient,
  type HdlcClientEvent,
  type HdlcClientOptions,
  type HdlcParameters,
  type Line,
  type LineError,
} from "@meterkeep/dlms";
import { AnswerQueue } from "./answer-queue.ts";
import type { ApduConnection, ConnectionSettings } from "./apdu-connection.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { type GatewayRoute, type GatewaySettings, gatewayRoute } from "./gateway-route.ts";
import { PolledLink } from "./polled-link.ts";
import { connectTcp, onOctets, type TcpTarget } from "./tcp.ts";
import { TransportError } from "./transport-error.ts";

/** Whom a client speaks to over HDLC, and how. */
export interface HdlcSettings extends HdlcClientOptions, ConnectionSettings, GatewaySettings {}

export interface HdlcTarget extends TcpTarget, HdlcSettings {}

/**
 * An HDLC connection to one logical device, over TCP or a serial line.
 *
 * States: those of `HdlcClient`, which this feeds with octets and time. A connection that failed closes its stream,
 * rejects what waits and every later exchange, and does not open again.
 */
export class HdlcConnection implements ApduConnection {
  readonly #stream: Duplex;
  readonly #machine: HdlcClient;
  readonly #settings: HdlcSettings;
  readonly #route: GatewayRoute;
  readonly #answers: AnswerQueue;
  readonly #link: PolledLink;
  readonly #opened = Promise.withResolvers<HdlcParameters>();
  readonly #disconnected = Promise.withResolvers<void>();
  #parameters: HdlcParameters | undefined;
  readonly #timer = new DeadlineTimer(() => this.#step({ kind: "time" }));

  /** Takes over a stream; `where` names it in messages. `open` has still to be awaited. */
  constructor(stream: Duplex, settings: HdlcSettings, where: string) {
    this.#stream = stream;
    this.#settings = settings;
    this.#machine = new HdlcClient(settings);
    this.#route = gatewayRoute(settings);
    this.#answers = new AnswerQueue(settings, where, () => this.#release());
    this.#link = new PolledLink(
      {
        isIdle: () => this.#machine.isIdle,
        send: (apdu, expectsAnswer) => this.#step({ kind: "send", apdu: this.#route.outward(apdu), expectsAnswer }),
        expect: () => this.#step({ kind: "expect" }),
        abandon: () => this.#step({ kind: "abandon" }),
      },
      this.#answers,
    );
    // Whether somebody waits for it depends on how it ends.
    this.#opened.promise.catch(() => {});
    onOctets(stream, (octets) => this.#step({ kind: "octets", octets }));
    stream.on("error", (cause) => this.#lost(`line to ${where} lost: ${cause.message}`, cause));
    stream.on("close", () => this.#lost(`the line to ${where} was closed`));
  }

  /** What was agreed when the connection was made; undefined before. */
  get parameters(): HdlcParameters | undefined {
    return this.#parameters;
  }

  /**
   * Connects (SNRM, UA) and gives what was agreed.
   *
   * @throws LineError `line-silent`, `line-refused`; TransportError `connection-closed`, `exchange-aborted`.
   */
  async open(signal?: Cancellation): Promise<HdlcParameters> {
    const cancelled = () =>
      this.#fail(
        new TransportError("exchange-aborted", "connecting over HDLC was cancelled", { cause: signal?.reason }),
      );
    if (signal?.aborted === true) cancelled();
    else this.#step({ kind: "connect" });
    signal?.addEventListener("abort", cancelled, { once: true });
    try {
      return await this.#opened.promise;
    } finally {
      signal?.removeEventListener("abort", cancelled);
    }
  }

  /**
   * Sends an APDU and gives the response.
   *
   * @throws TransportError as `ApduConnection.exchange`; LineError when the link fails.
   */
  get exchange(): Exchange {
    return this.#link.exchange;
  }

  /** The same connection one way at a time: `send` resolves when the meter has acknowledged the APDU. */
  get line(): Line {
    return this.#link.line;
  }

  /** Sends an APDU to all stations of the line (UI frame to the broadcast address). Nobody answers. */
  broadcast(apdu: Uint8Array): void {
    this.#answers.requireOpen();
    this.#step({ kind: "datagram", apdu, broadcast: true });
  }

  /** Disconnects (DISC, UA), and closes the stream whatever comes back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#machine.isConnected && this.#stream.writable) {
      this.#step({ kind: "disconnect" });
      await this.#disconnected.promise;
    }
    this.#fail(new TransportError("connection-closed", "the connection was closed here"));
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => this.#stream.once("close", () => resolve()));
  }

  #step(event: HdlcClientEvent): void {
    for (const action of this.#machine.step(event, performance.now())) {
      switch (action.kind) {
        case "transmit":
          if (this.#stream.writable) this.#stream.write(action.octets);
          break;
        case "connected":
          this.#parameters = action.parameters;
          this.#opened.resolve(action.parameters);
          break;
        case "apdu":
          this.#deliver(action.apdu, true);
          break;
        case "notification":
          this.#settings.onUnsolicited?.(action.apdu);
          break;
        case "disconnected":
          this.#disconnected.resolve();
          break;
        case "failed":
          this.#fail(action.error);
          break;
        default:
          action satisfies never;
      }
    }
    this.#link.stepped();
    this.#timer.set(this.#stream.destroyed ? undefined : this.#machine.deadline);
  }

  #deliver(octets: Uint8Array, isAnswer: boolean): void {
    const apdu = this.#route.inward(octets);
    if (apdu !== undefined) this.#answers.deliver(apdu, isAnswer);
  }

  #lost(message: string, cause?: Error): void {
    this.#fail(new TransportError("connection-closed", message, cause === undefined ? {} : { cause }));
  }

  #fail(error: LineError | TransportError): void {
    this.#opened.reject(error);
    this.#answers.close(error);
  }

  #release(): void {
    this.#timer.clear();
    this.#disconnected.resolve();
    this.#link.release();
    this.#stream.destroy();
  }
}

/**
 * Connects over TCP to a meter, or a converter before one, that speaks HDLC.
 *
 * @throws TransportError as `connectTcp`; LineError `line-silent`, `line-refused`.
 */
export async function connectHdlc(target: HdlcTarget): Promise<HdlcConnection> {
  const socket = await connectTcp(target);
  const connection = new HdlcConnection(socket, target, `${target.host}:${target.port}`);
  await connection.open(target.signal);
  return connection;
}

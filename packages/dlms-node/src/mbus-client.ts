import type { Duplex } from "node:stream";
import {
  type Exchange,
  type Line,
  type LineError,
  MbusClient,
  type MbusClientEvent,
  type MbusClientOptions,
} from "@meterkeep/dlms";
import { AnswerQueue } from "./answer-queue.ts";
import type { ApduConnection, ConnectionSettings } from "./apdu-connection.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { PolledLink } from "./polled-link.ts";
import { connectTcp, onOctets, type TcpTarget } from "./tcp.ts";
import { TransportError } from "./transport-error.ts";

export interface MbusSettings extends MbusClientOptions, ConnectionSettings {}

/**
 * A meter on a wired M-Bus, over a level converter on a serial line or behind TCP.
 *
 * States: those of `MbusClient`, which this feeds with octets and time; closed for ever after a failure.
 */
export class MbusConnection implements ApduConnection {
  readonly #stream: Duplex;
  readonly #machine: MbusClient;
  readonly #settings: MbusSettings;
  readonly #answers: AnswerQueue;
  readonly #link: PolledLink;
  readonly #timer = new DeadlineTimer(() => this.#step({ kind: "time" }));
  readonly #opened = Promise.withResolvers<void>();

  /** Takes over a stream; `where` names it in messages. `open` has still to be awaited. */
  constructor(stream: Duplex, settings: MbusSettings, where: string) {
    this.#stream = stream;
    this.#settings = settings;
    this.#machine = new MbusClient(settings);
    this.#answers = new AnswerQueue(settings, `M-Bus address ${settings.address} at ${where}`, () => this.#release());
    this.#link = new PolledLink(
      {
        isIdle: () => this.#machine.isIdle,
        send: (apdu, expectsAnswer) => this.#step({ kind: "send", apdu, expectsAnswer }),
        expect: () => this.#step({ kind: "expect" }),
        abandon: () => this.#step({ kind: "abandon" }),
      },
      this.#answers,
    );
    // Whether somebody waits for it depends on how it ends.
    this.#opened.promise.catch(() => {});
    onOctets(stream, (octets) => this.#step({ kind: "octets", octets }));
    stream.on("error", (cause) => this.#lost(`line to ${where} lost: ${cause.message}`));
    stream.on("close", () => this.#lost(`the line to ${where} was closed`));
  }

  /** Initialises the meter (SND-NKE). @throws LineError `line-silent`; TransportError `connection-closed`. */
  async open(): Promise<void> {
    this.#step({ kind: "connect" });
    await this.#opened.promise;
  }

  /** Sends an APDU and gives the response. @throws as `ApduConnection`. */
  get exchange(): Exchange {
    return this.#link.exchange;
  }

  /** The same connection one way at a time: `send` resolves when the meter has confirmed the APDU. */
  get line(): Line {
    return this.#link.line;
  }

  /** Closes the stream: the bus knows no end of a connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new TransportError("connection-closed", "the connection was closed here"));
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => this.#stream.once("close", () => resolve()));
  }

  #step(event: MbusClientEvent): void {
    for (const action of this.#machine.step(event, performance.now())) {
      switch (action.kind) {
        case "transmit":
          if (this.#stream.writable) this.#stream.write(action.octets);
          break;
        case "connected":
          this.#opened.resolve();
          break;
        case "apdu":
          this.#answers.deliver(action.apdu, true);
          break;
        case "notification":
          this.#settings.onUnsolicited?.(action.apdu);
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

  #lost(message: string): void {
    this.#fail(new TransportError("connection-closed", message));
  }

  #fail(error: LineError | TransportError): void {
    this.#opened.reject(error);
    this.#answers.close(error);
  }

  #release(): void {
    this.#timer.clear();
    this.#link.release();
    this.#stream.destroy();
  }
}

/** Connects to a wired M-Bus behind a TCP converter. @throws TransportError as `connectTcp`; LineError `line-silent`. */
export async function connectMbus(target: TcpTarget & MbusSettings): Promise<MbusConnection> {
  const connection = new MbusConnection(await connectTcp(target), target, `${target.host}:${target.port}`);
  await connection.open();
  return connection;
}

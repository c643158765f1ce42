import type { Duplex } from "node:stream";
import { DecodeError, type Exchange, type GatewayAddress, type Line, readGateway, toHex } from "@meterkeep/dlms";
import { AnswerQueue } from "./answer-queue.ts";
import type { ApduConnection, ConnectionSettings } from "./apdu-connection.ts";
import { FrameDeadline } from "./frame-deadline.ts";
import { type GatewaySettings, gatewayRoute } from "./gateway-route.ts";
import { onOctets } from "./tcp.ts";
import { TransportError } from "./transport-error.ts";
import type { WrapperAddresses } from "./wrapper-client.ts";
import { type WrapperApdu, WrapperFrames, wrapped } from "./wrapper-frames.ts";

/** One logical device on a trunk: its access points, and its address where it is behind a gateway. */
export interface TrunkTarget extends WrapperAddresses, Omit<ConnectionSettings, "onUnsolicited">, GatewaySettings {}

export interface WrapperTrunkSettings {
  /** Names the other end in messages. */
  readonly where: string;
  /** Hears what nobody has asked for, without the gateway's prefix; `gateway` says which device of the other end sent it. */
  readonly onUnsolicited?: (apdu: Uint8Array, gateway: GatewayAddress | undefined) => void;
  /** Is called once, when the trunk has ended, with the reason. */
  readonly onClose?: (reason: TransportError) => void;
  /** Milliseconds in which a frame that has begun must be whole, however its octets drip; 10 000 unless given. */
  readonly frameTimeoutMilliseconds?: number;
  /** Lines at once; 1 024 unless given. */
  readonly maxLines?: number;
}

const DEFAULT_FRAME_TIMEOUT_MILLISECONDS = 10_000;
const DEFAULT_MAX_LINES = 1024;

/**
 * One stream with wrapper frames that many conversations share: to the meters behind a concentrator, or to the one that
 * has connected to us. Service access points and the gateway's prefix say whose an APDU is.
 *
 * States: open, with any number of lines; closed for ever, and all its lines with it. A line that ends, by time-out or
 * by hand, leaves the others as they are.
 */
export class WrapperTrunk implements AsyncDisposable {
  readonly #stream: Duplex;
  readonly #settings: WrapperTrunkSettings;
  readonly #frames = new WrapperFrames();
  readonly #lines = new Map<string, TrunkLine>();
  #closed: TransportError | undefined;
  readonly #frameDeadline: FrameDeadline;

  /** Takes over a stream. */
  constructor(stream: Duplex, settings: WrapperTrunkSettings) {
    this.#stream = stream;
    this.#settings = settings;
    this.#frameDeadline = new FrameDeadline(
      settings.frameTimeoutMilliseconds ?? DEFAULT_FRAME_TIMEOUT_MILLISECONDS,
      () => this.close(`${settings.where} began a frame and did not end it`),
    );
    onOctets(stream, (chunk) => this.#receive(chunk));
    stream.on("error", (cause) =>
      this.#close(
        new TransportError("connection-closed", `connection to ${settings.where} lost: ${cause.message}`, { cause }),
      ),
    );
    stream.on("close", () => this.close(`${settings.where} closed the connection`));
  }

  /** Conversations under way. */
  get lines(): number {
    return this.#lines.size;
  }

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  /**
   * Begins a conversation.
   *
   * @throws TransportError `exchange-busy` where there is one with the same device already, or too many; the reason of
   * its end when the trunk is closed.
   */
  open(target: TrunkTarget): ApduConnection {
    if (this.#closed !== undefined) throw this.#closed;
    const key = lineKey(target.serverSap, target.clientSap, target.gateway);
    if (this.#lines.has(key) || this.#lines.size >= (this.#settings.maxLines ?? DEFAULT_MAX_LINES))
      throw new TransportError("exchange-busy", `${this.#settings.where} has a conversation with this device already`);
    const line = new TrunkLine(target, this.#settings, {
      write: (octets) => {
        if (this.#stream.writable) this.#stream.write(octets);
      },
      ended: () => {
        if (this.#lines.get(key) === line) this.#lines.delete(key);
      },
    });
    this.#lines.set(key, line);
    return line;
  }

  /** Ends the trunk and all its lines: each gets `connection-closed` with this reason. */
  close(reason = "the connection was closed here"): void {
    this.#close(new TransportError("connection-closed", reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => this.#stream.once("close", () => resolve()));
  }

  #receive(chunk: Uint8Array): void {
    try {
      const whole = this.#frames.push(chunk);
      for (const frame of whole) this.#deliver(frame);
      if (this.isOpen) this.#frameDeadline.saw(this.#frames, whole.length);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#close(error);
    }
  }

  #deliver({ source, destination, apdu }: WrapperApdu): void {
    const routed = read(apdu);
    if (routed === "unreadable" || routed?.kind === "request") return;
    const line = this.#lines.get(lineKey(source, destination, routed));
    const plain = routed?.apdu ?? apdu;
    // A prefix with nothing behind it: the other end has lost its line to the device, and no answer comes.
    if (plain.length === 0)
      line?.end(new TransportError("connection-closed", `${line.name} cannot be reached any more`));
    else if (line === undefined) this.#settings.onUnsolicited?.(plain, routed);
    else line.deliver(plain, (unasked) => this.#settings.onUnsolicited?.(unasked, routed));
  }

  #close(reason: TransportError): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#frameDeadline.clear();
    for (const line of [...this.#lines.values()]) line.end(reason);
    this.#stream.destroy();
    this.#settings.onClose?.(reason);
  }
}

/** What a line can do to its trunk. */
interface TrunkEnd {
  readonly write: (octets: Uint8Array) => void;
  readonly ended: () => void;
}

/** One conversation on a trunk. */
class TrunkLine implements ApduConnection {
  /** Whom messages speak of. */
  readonly name: string;
  readonly #answers: AnswerQueue;
  readonly #send: (apdu: Uint8Array) => void;
  #unasked: ((apdu: Uint8Array) => void) | undefined;

  constructor(target: TrunkTarget, { where }: WrapperTrunkSettings, trunk: TrunkEnd) {
    const { clientSap, serverSap, gateway } = target;
    this.name = gateway === undefined ? where : `${where}, device ${toHex(gateway.physicalAddress)}`;
    const settings = { ...target, onUnsolicited: (apdu: Uint8Array) => this.#unasked?.(apdu) };
    this.#answers = new AnswerQueue(settings, this.name, trunk.ended);
    const route = gatewayRoute(target);
    this.#send = (apdu) => trunk.write(wrapped(clientSap, serverSap, route.outward(apdu)));
  }

  readonly exchange: Exchange = (apdu, signal) => this.#answers.exchange(signal, () => this.#send(apdu));

  readonly line: Line = {
    send: (apdu) => {
      this.#answers.requireOpen();
      this.#send(apdu);
    },
    receive: (signal) => this.#answers.next(signal),
  };

  deliver(apdu: Uint8Array, unasked: (apdu: Uint8Array) => void): void {
    this.#unasked = unasked;
    this.#answers.deliver(apdu);
  }

  end(reason: TransportError): void {
    this.#answers.close(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end(new TransportError("connection-closed", "the connection was closed here"));
    await Promise.resolve();
  }
}

function lineKey(serverSap: number, clientSap: number, gateway: GatewayAddress | undefined): string {
  const device = gateway === undefined ? "" : `${gateway.networkId}/${toHex(gateway.physicalAddress)}`;
  return `${serverSap} ${clientSap} ${device}`;
}

function read(apdu: Uint8Array): ReturnType<typeof readGateway> | "unreadable" {
  try {
    return readGateway(apdu);
  } catch (error) {
    if (error instanceof DecodeError) return "unreadable";
    throw error;
  }
}

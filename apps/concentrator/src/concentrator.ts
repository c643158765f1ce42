import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { DecodeError, encodeGateway, encodeWrapper, type GatewayApdu, readGateway, toHex } from "@meterkeep/dlms";
import {
  connectTcp,
  listenForPushesTcp,
  listenTls,
  onOctets,
  type TlsIdentity,
  type TlsListener,
  TransportError,
  type WrapperApdu,
  WrapperFrames,
} from "@meterkeep/dlms-node";
import { Passage, type Passed } from "./mischief.ts";

/** Where a meter is that a concentrator serves. */
export interface MeterPlace {
  readonly host: string;
  readonly port: number;
}

export interface ConcentratorOptions extends TlsIdentity {
  /** The common name of its certificate. */
  readonly name: string;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The common name of the one head-end that it serves. */
  readonly headEnd: string;
  /** Where the meter with this address is now; undefined where it has none such. */
  find(address: string): Promise<MeterPlace | undefined>;
}

type Saps = Pick<WrapperApdu, "source" | "destination">;

/** What a line says to whom asked. */
interface Asker {
  /** Octets of a frame's answer. */
  answer(saps: Saps, apdu: Uint8Array): void;
  /** Nothing comes any more of what was asked between these two. */
  lost(saps: Saps): void;
}

/** Behind the prefix of what answers for a meter whose line broke: no APDU of a meter is that. */
const NO_APDU = new Uint8Array(0);

const MOST_HEAD_ENDS = 4;
/** Pushes that wait for a head-end to connect; beyond, the oldest is lost. */
const MOST_KEPT_PUSHES = 256;
/** A line to a meter that nobody uses is ended: the meter takes one at a time. */
const IDLE_MILLISECONDS = 30_000;

/**
 * A data concentrator: takes APDUs with the gateway's prefix over mutual TLS, and hands them to the meters behind it. It
 * has no keys, and reads nothing but addresses.
 */
export class Concentrator implements AsyncDisposable {
  readonly passage = new Passage();
  readonly #options: ConcentratorOptions;
  readonly #connections = new Set<Duplex>();
  #listeners: AsyncDisposable[] = [];
  #trunk: TlsListener | undefined;
  #kept: Uint8Array[] = [];

  constructor(options: ConcentratorOptions) {
    this.#options = options;
  }

  /** Listens to head-ends, and to the meters behind it. @returns the ports. @throws TransportError `listen-failed` */
  async listen(): Promise<{ readonly port: number; readonly pushPort: number }> {
    const listener = await listenTls({
      ...this.#options,
      maxConnections: MOST_HEAD_ENDS,
      onConnection: (socket, peer) => {
        if (peer === this.#options.headEnd) this.#serve(socket);
        else socket.destroy();
      },
    });
    this.#trunk = listener;
    this.#listeners.push(listener);
    const pushes = await listenForPushesTcp({
      host: this.#options.host,
      onPush: (frame) => void this.#push(frame),
    });
    this.#listeners.push(pushes);
    return { port: listener.port, pushPort: pushes.port };
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Goes on with another certificate, from the next connection on. */
  renew(identity: TlsIdentity): void {
    this.#trunk?.renew(identity);
  }

  /** Ends the connections to head-ends, as a power cut would; it goes on listening. */
  hangUp(): void {
    for (const stream of this.#connections) stream.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    for (const listener of this.#listeners) await listener[Symbol.asyncDispose]();
  }

  /** A meter behind it has sent something unasked; it says with the gateway's prefix which one it is. */
  async #push({ source, destination, apdu }: WrapperApdu): Promise<void> {
    const routed = read(apdu);
    if (routed?.kind !== "response") return;
    const { networkId, physicalAddress } = routed;
    const own = Uint8Array.from(physicalAddress);
    const address = toHex(own).toUpperCase();
    const sent = Uint8Array.from(routed.apdu);
    if ((await this.#options.find(address)) === undefined) return;
    pass(this.passage.toHeadEnd(address, sent, "pushes"), (passed) => {
      const response = encodeGateway({ kind: "response", networkId, physicalAddress: own, apdu: passed });
      this.#toHeadEnds(encodeWrapper(source, destination, response));
    });
  }

  #toHeadEnds(octets: Uint8Array): void {
    if (this.#connections.size === 0) this.#kept = [...this.#kept, octets].slice(-MOST_KEPT_PUSHES);
    for (const stream of this.#connections) if (stream.writable) stream.write(octets);
  }

  #serve(stream: Duplex): void {
    this.#connections.add(stream);
    for (const octets of this.#kept.splice(0)) stream.write(octets);
    const frames = new WrapperFrames();
    const meters = new Map<string, MeterLink>();
    onOctets(stream, (chunk) => {
      try {
        for (const frame of frames.push(chunk)) this.#route(stream, meters, frame);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        stream.destroy();
      }
    });
    stream.on("error", () => undefined);
    stream.on("close", () => {
      this.#connections.delete(stream);
      for (const link of meters.values()) link.close();
    });
  }

  /** What is for nobody here, or has no address, is dropped (Green Book 10.10). */
  #route(stream: Duplex, meters: Map<string, MeterLink>, frame: WrapperApdu): void {
    const routed = read(frame.apdu);
    if (routed?.kind !== "request") return;
    const address = toHex(routed.physicalAddress).toUpperCase();
    const link = meters.get(address) ?? this.#linkTo(stream, meters, routed, address);
    pass(this.passage.toMeter(address, routed.apdu), (apdu) => link.send(frame, apdu));
  }

  #linkTo(stream: Duplex, meters: Map<string, MeterLink>, routed: GatewayApdu, address: string): MeterLink {
    const { networkId, physicalAddress } = routed;
    const own = Uint8Array.from(physicalAddress);
    const write = ({ source, destination }: Saps, apdu: Uint8Array): void => {
      if (!stream.writable) return;
      const response = encodeGateway({ kind: "response", networkId, physicalAddress: own, apdu });
      stream.write(encodeWrapper(source, destination, response));
    };
    const asker: Asker = {
      answer: (saps, answer) => pass(this.passage.toHeadEnd(address, answer), (apdu) => write(saps, apdu)),
      lost: (saps) => write(saps, NO_APDU),
    };
    const link: MeterLink = new MeterLink(
      () => this.#options.find(address),
      asker,
      () => {
        if (meters.get(address) === link) meters.delete(address);
      },
    );
    meters.set(address, link);
    return link;
  }
}

/**
 * The line to one meter: made with the first APDU for it, and ended when nobody uses it any more. Where it breaks, or is not
 * made, whoever waits for an answer is told so at once: silence on such a line is waited for as long as a slow one takes.
 */
class MeterLink {
  readonly #find: () => Promise<MeterPlace | undefined>;
  readonly #asker: Asker;
  readonly #ended: () => void;
  readonly #opening: Promise<Socket | undefined>;
  readonly #closing = new AbortController();
  /** The ends of what was asked and not answered, by their access points, as an answer has them. */
  readonly #waiting = new Map<string, Saps>();

  constructor(find: () => Promise<MeterPlace | undefined>, asker: Asker, ended: () => void) {
    this.#find = find;
    this.#asker = asker;
    this.#ended = ended;
    this.#opening = this.#open();
  }

  send({ source, destination }: WrapperApdu, apdu: Uint8Array): void {
    const octets = encodeWrapper(source, destination, apdu);
    const saps = { source: destination, destination: source };
    this.#waiting.set(keyOf(saps), saps);
    void this.#opening.then((socket) => {
      if (socket?.writable === true) socket.write(octets);
    });
  }

  close(): void {
    this.#ended();
    this.#closing.abort();
    void this.#opening.then((socket) => socket?.destroy());
  }

  /** A meter that nobody knows here is silent (Green Book 10.10). */
  async #open(): Promise<Socket | undefined> {
    try {
      const place = await this.#find();
      if (place === undefined) {
        this.#ended();
        return undefined;
      }
      const socket = await connectTcp({ ...place, signal: this.#closing.signal });
      const frames = new WrapperFrames();
      socket.on("error", () => undefined);
      socket.on("close", () => this.#broke());
      socket.setTimeout(IDLE_MILLISECONDS, () => socket.destroy());
      onOctets(socket, (chunk) => {
        try {
          for (const frame of frames.push(chunk)) {
            this.#waiting.delete(keyOf(frame));
            this.#asker.answer(frame, frame.apdu);
          }
        } catch (error) {
          if (!(error instanceof TransportError)) throw error;
          socket.destroy();
        }
      });
      return socket;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#broke();
      return undefined;
    }
  }

  #broke(): void {
    this.close();
    for (const saps of this.#waiting.values()) this.#asker.lost(saps);
    this.#waiting.clear();
  }
}

function keyOf({ source, destination }: Saps): string {
  return `${source} ${destination}`;
}

function pass({ apdus, delayMilliseconds }: Passed, send: (apdu: Uint8Array) => void): void {
  const all = (): void => {
    for (const apdu of apdus) send(apdu);
  };
  if (delayMilliseconds > 0) setTimeout(all, delayMilliseconds);
  else all();
}

function read(apdu: Uint8Array): GatewayApdu | undefined {
  try {
    return readGateway(apdu);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

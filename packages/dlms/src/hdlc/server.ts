import { fromHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { HdlcFrame } from "../link/hdlc.ts";
import { LineError } from "../link/line-error.ts";
import {
  CLIENT_ADDRESSES,
  clientAddressOctets,
  isAllStations,
  isCallingDevice,
  readClientAddress,
  readServerAddress,
  serverAddressOctets,
} from "./address.ts";
import { readControl } from "./control.ts";
import { HdlcFrameStream } from "./frame-stream.ts";
import { type HdlcParameters, hdlcParameters } from "./parameters.ts";
import { SegmentJoiner } from "./segments.ts";
import type { HdlcPeer, HdlcServerAction, HdlcServerEvent, HdlcServerOptions } from "./server-events.ts";
import { HdlcServerLink } from "./server-link.ts";

const DEFAULTS = {
  inactivityTimeoutMilliseconds: 120_000,
  interOctetTimeoutMilliseconds: 1000,
  maxApduBytes: 65_535,
  maxConnections: 4,
};

interface LinkEntry {
  readonly link: HdlcServerLink;
  /** When the connection is over unless the client says something. */
  due: number;
}

/**
 * The secondary stations of one physical device on an HDLC line: a DLMS server with its logical devices (IEC 62056-46,
 * 6.4). Frames that are damaged or for somebody else are passed over in silence.
 *
 * Addresses of 1, 2 and 4 octets are understood, whatever the own is written in, and answers carry the address as the
 * client wrote it. The broadcast addresses reach it with UI frames only.
 *
 * Each pair of client and logical device is an {@link HdlcServerLink} with states of its own. Time is an argument of
 * {@link step}, in milliseconds of any origin; {@link deadline} says when to send a `time` event.
 */
export class HdlcServer {
  readonly #options: HdlcServerOptions & typeof DEFAULTS;
  readonly #own: HdlcParameters;
  readonly #frames = new HdlcFrameStream();
  readonly #links = new Map<string, LinkEntry>();
  readonly #datagrams: SegmentJoiner;
  #datagramSender = "";
  #octetDue: number | undefined;
  #isBusy = false;

  /** @throws DlmsError `out-of-range` for parameters that do not exist, or no logical device. */
  constructor(options: HdlcServerOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#own = hdlcParameters(options.parameters);
    this.#datagrams = new SegmentJoiner(this.#options.maxApduBytes, ["command"]);
    if (options.logicalDevices.length === 0)
      throw new DlmsError("out-of-range", "an HDLC server without logical device");
  }

  /** When the next `time` event is due; undefined while nothing is waited for. */
  get deadline(): number | undefined {
    let due = this.#octetDue ?? Number.POSITIVE_INFINITY;
    for (const entry of this.#links.values()) due = Math.min(due, entry.due);
    return Number.isFinite(due) ? due : undefined;
  }

  /** Takes an event and gives what to do, in order. */
  step(event: HdlcServerEvent, now: number): readonly HdlcServerAction[] {
    switch (event.kind) {
      case "octets":
        return this.#receive(event.octets, now);
      case "time":
        return this.#timeOut(now);
      case "respond":
        return this.#links.get(keyOf(event.peer))?.link.respond(event.peer, event.apdus) ?? [];
      case "notify":
        return this.#notify(event.peer, event.apdu);
      case "busy":
        this.#isBusy = event.busy;
        return [];
      default:
        return event satisfies never;
    }
  }

  #receive(octets: Uint8Array, now: number): readonly HdlcServerAction[] {
    const actions: HdlcServerAction[] = [];
    for (const frame of this.#frames.push(octets)) actions.push(...this.#takeFrame(frame, now));
    this.#octetDue = this.#frames.isUnfinished ? now + this.#options.interOctetTimeoutMilliseconds : undefined;
    return actions;
  }

  #takeFrame(frame: HdlcFrame, now: number): readonly HdlcServerAction[] {
    const clientAddress = readClientAddress(frame.source);
    const { logicalDevice, physicalDevice, bytes } = readServerAddress(frame.destination);
    if (clientAddress === undefined || clientAddress === CLIENT_ADDRESSES.noStation) return [];
    const broadcast = isAllStations(logicalDevice, bytes) || isAllStations(physicalDevice, bytes);
    const isOurs =
      (this.#options.logicalDevices.includes(logicalDevice) || isAllStations(logicalDevice, bytes)) &&
      this.#isOurDevice(physicalDevice, bytes);
    if (!isOurs) return [];
    const peer = { clientAddress, logicalDevice };
    if (readControl(frame.control)?.kind === "UI") return this.#takeDatagram(peer, broadcast, frame);
    // Nobody answers a broadcast: all stations would speak at once.
    if (broadcast || clientAddress === CLIENT_ADDRESSES.allStations) return [];
    const known = this.#links.get(keyOf(peer));
    if (known?.link.isCalled(fromHex(frame.destination)) === true) return this.#route(peer, known, frame, now);
    const link = this.#link(peer, fromHex(frame.source), fromHex(frame.destination));
    const entry = { link, due: 0 };
    if (readControl(frame.control)?.kind !== "SNRM") return link.take(frame);
    // Called by an address of another length: what was agreed under the old one is over.
    const ended = known?.link.end("snrm") ?? [];
    this.#links.set(keyOf(peer), entry);
    return [...ended, ...this.#route(peer, entry, frame, now)];
  }

  #route(peer: HdlcPeer, entry: LinkEntry, frame: HdlcFrame, now: number): readonly HdlcServerAction[] {
    const actions = entry.link.take(frame);
    entry.due = now + this.#options.inactivityTimeoutMilliseconds;
    if (entry.link.isForgotten) this.#links.delete(keyOf(peer));
    return actions;
  }

  #isOurDevice(physicalDevice: number | undefined, bytes: 1 | 2 | 4 | undefined): boolean {
    const own = this.#options.physicalDevice;
    if (own === undefined || physicalDevice === undefined || physicalDevice === own) return true;
    return isAllStations(physicalDevice, bytes) || isCallingDevice(physicalDevice, bytes);
  }

  #link(peer: HdlcPeer, client: Uint8Array, server: Uint8Array): HdlcServerLink {
    return new HdlcServerLink(peer, client, server, {
      own: this.#own,
      maxApduBytes: this.#options.maxApduBytes,
      segments: this.#options.segments,
      isBusy: () => this.#isBusy,
      mayConnect: () => this.#connections < this.#options.maxConnections,
    });
  }

  get #connections(): number {
    let count = 0;
    for (const { link } of this.#links.values()) if (link.isConnected) count += 1;
    return count;
  }

  #takeDatagram(peer: HdlcPeer, broadcast: boolean, frame: HdlcFrame): readonly HdlcServerAction[] {
    const sender = keyOf(peer);
    if (sender !== this.#datagramSender) this.#datagrams.reset();
    this.#datagramSender = sender;
    try {
      const apdu = this.#datagrams.push(frame.information, frame.segmented);
      return apdu === undefined ? [] : [{ kind: "datagram", peer, broadcast, apdu }];
    } catch (error) {
      if (error instanceof LineError) return [];
      throw error;
    }
  }

  #notify(peer: HdlcPeer, apdu: Uint8Array): readonly HdlcServerAction[] {
    const { clientAddress, logicalDevice } = peer;
    const server = serverAddressOctets({ logicalDevice, physicalDevice: this.#options.physicalDevice });
    const known = this.#links.get(keyOf(peer))?.link;
    return (known ?? this.#link(peer, clientAddressOctets(clientAddress), server)).notify(apdu);
  }

  #timeOut(now: number): readonly HdlcServerAction[] {
    if (this.#octetDue !== undefined && now >= this.#octetDue) {
      this.#frames.reset();
      this.#octetDue = undefined;
    }
    const actions: HdlcServerAction[] = [];
    for (const [key, { link, due }] of this.#links)
      if (now >= due) {
        actions.push(...link.end("inactivity"));
        this.#links.delete(key);
      }
    return actions;
  }
}

function keyOf({ clientAddress, logicalDevice }: HdlcPeer): string {
  return `${clientAddress} ${logicalDevice}`;
}

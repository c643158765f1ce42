import { equalBytes } from "../bytes.ts";
import { encodeWrapper, readWrapperDatagram } from "./wrapper.ts";

export interface DatagramServerOptions {
  /** The logical devices that are here; datagrams for others are dropped. All are taken to be unless given. */
  readonly serverSaps?: readonly number[];
  /** Octets of the longest APDU taken; 65 527, which is all that a datagram holds, unless given. */
  readonly maxApduBytes?: number;
  /** Milliseconds after which a silent client is forgotten, and its association with it; 300 000 unless given. */
  readonly idleMilliseconds?: number;
  /** Clients remembered; 64 unless given. A further one replaces the one that was silent longest. */
  readonly maxClients?: number;
}

/** A client, as far as UDP tells one from another. The object itself stands for its stay here. */
export interface DatagramPeer {
  /** The sender's address and port, as the runner writes them. */
  readonly from: string;
  readonly clientSap: number;
  readonly serverSap: number;
}

export type DatagramServerEvent =
  | { readonly kind: "datagram"; readonly from: string; readonly octets: Uint8Array }
  /** What is answered to a request; an empty list where the service has no answer. */
  | { readonly kind: "respond"; readonly peer: DatagramPeer; readonly apdus: readonly Uint8Array[] }
  /** `deadline` has passed. */
  | { readonly kind: "time" };

export type DatagramServerAction =
  | { readonly kind: "transmit"; readonly to: string; readonly octets: Uint8Array }
  | { readonly kind: "connected"; readonly peer: DatagramPeer }
  | { readonly kind: "apdu"; readonly peer: DatagramPeer; readonly apdu: Uint8Array }
  | { readonly kind: "forgotten"; readonly peer: DatagramPeer };

interface Client {
  readonly peer: DatagramPeer;
  due: number;
  request: Uint8Array;
  /** What was answered to it, until the next request. */
  answers: Uint8Array[];
}

const MOST_DATAGRAM_APDU_BYTES = 65_527;

/**
 * The server's side of the wrapper over UDP. A datagram that repeats a client's last request, octet for octet, is a
 * repetition: it gets the same answer again and is not served twice, so that no counter is seen twice and no method is
 * called twice.
 */
export class DatagramServer {
  readonly #options: DatagramServerOptions & Required<Omit<DatagramServerOptions, "serverSaps">>;
  /** By sender and service access points; the one silent longest first. */
  readonly #clients = new Map<string, Client>();

  constructor(options: DatagramServerOptions = {}) {
    this.#options = { maxApduBytes: MOST_DATAGRAM_APDU_BYTES, idleMilliseconds: 300_000, maxClients: 64, ...options };
  }

  /** When the next `time` event is due. */
  get deadline(): number | undefined {
    return this.#clients.values().next().value?.due;
  }

  /** Takes an event and gives what to do, in order. Datagrams that are no wrapper change nothing. */
  step(event: DatagramServerEvent, now: number): readonly DatagramServerAction[] {
    switch (event.kind) {
      case "datagram":
        return this.#take(event.from, event.octets, now);
      case "respond":
        return this.#respond(event.peer, event.apdus);
      case "time":
        return this.#forget((client) => now >= client.due);
      default:
        return event satisfies never;
    }
  }

  #take(from: string, octets: Uint8Array, now: number): readonly DatagramServerAction[] {
    const frame = readWrapperDatagram(octets);
    const { serverSaps, maxApduBytes, maxClients, idleMilliseconds } = this.#options;
    if (frame === undefined || frame.apdu.length > maxApduBytes) return [];
    if (serverSaps?.includes(frame.destination) === false) return [];
    const { source: clientSap, destination: serverSap } = frame;
    const key = `${from} ${clientSap} ${serverSap}`;
    const known = this.#clients.get(key);
    this.#clients.delete(key);
    const actions: DatagramServerAction[] = [];
    if (known === undefined) {
      const excess = this.#clients.size - maxClients + 1;
      if (excess > 0) actions.push(...this.#forget((_, index) => index < excess));
    }
    const client = known ?? {
      peer: { from, clientSap, serverSap },
      due: 0,
      request: octets.subarray(0, 0),
      answers: [],
    };
    this.#clients.set(key, client);
    client.due = now + idleMilliseconds;
    if (known === undefined) actions.push({ kind: "connected", peer: client.peer });
    else if (equalBytes(octets, known.request))
      return known.answers.map((answer) => ({ kind: "transmit", to: from, octets: answer }));
    client.request = octets.slice();
    client.answers = [];
    return [...actions, { kind: "apdu", peer: client.peer, apdu: frame.apdu }];
  }

  #respond(peer: DatagramPeer, apdus: readonly Uint8Array[]): readonly DatagramServerAction[] {
    const { from, clientSap, serverSap } = peer;
    const client = this.#clients.get(`${from} ${clientSap} ${serverSap}`);
    if (client?.peer !== peer) return [];
    const answers = apdus.map((apdu) => encodeWrapper(serverSap, clientSap, apdu));
    client.answers.push(...answers);
    return answers.map((octets) => ({ kind: "transmit", to: from, octets }));
  }

  #forget(isOver: (client: Client, index: number) => boolean): DatagramServerAction[] {
    const actions: DatagramServerAction[] = [];
    for (const [index, [key, client]] of [...this.#clients].entries()) {
      if (!isOver(client, index)) continue;
      this.#clients.delete(key);
      actions.push({ kind: "forgotten", peer: client.peer });
    }
    return actions;
  }
}

import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Custodian } from "@meterkeep/api/custodian";
import { CHANNEL_GROUP } from "@meterkeep/api/custodian-channel";
import { listenTls, type TlsIdentity } from "@meterkeep/dlms-node";
import { pause } from "../repeat.ts";
import { provenBy, standing } from "../standing.ts";
import { type Desk, serveDesk } from "./desk.ts";
import { carry, GATE_STREAMS, type GateStream, KEEP_ALIVE_MILLISECONDS } from "./streams.ts";

/** Where something behind the gate listens. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

export interface GateOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly identity: TlsIdentity;
  readonly custodian: Pick<Custodian, "searchCertificates">;
  /** Where the streams that it does not read itself go. */
  readonly places: Readonly<Record<Exclude<GateStream, "desk">, Place>>;
  readonly desk: Desk;
  /** Who has come, and who is sent away, and why. */
  onWorker(name: string, what: "came" | "left" | "refused" | "cut"): void;
}

/** A gate that is open. */
export interface Gate extends AsyncDisposable {
  readonly port: number;
}

/** Streams in all: each session over a connection that the server holds is one. */
const MOST_STREAMS = 20_000;
/** Of one address that has proven nothing yet: a worker that begins may open a line for each of its sessions at once. */
const MOST_HANDSHAKES = 512;
/** How often is asked whether those who are here still may be. */
const LOOK_MILLISECONDS = 1_000;
/** While the custodian says nothing about a worker for so long, nobody vouches for it. */
const SILENCE_MILLISECONDS = 30_000;

/** A worker that is here, by the certificate that it has proven. */
interface Guest {
  readonly name: string;
  readonly stands: () => Promise<boolean>;
  readonly sockets: Set<TLSSocket>;
  /** When the registry has last said that its certificate stands. */
  vouchedAt: number;
}

/**
 * The way in for workers on other machines (ADR 0039): TLS 1.3 over the hybrid group and nothing else, with certificates of our
 * own PKI on both sides. Whoever is not a worker by the custodian's registry is sent away before anything is connected to for
 * it, and whoever is none any more within a second, with all its streams. What it carries it does not read: the
 * custodian's end of TLS is in the custodian, so a gate that was taken over cannot speak in a worker's name.
 *
 * @throws TransportError `listen-failed`
 */
export async function openGate(options: GateOptions): Promise<Gate> {
  const { custodian, places, desk, onWorker } = options;
  const guests = new Map<string, Guest>();
  const closing = new AbortController();
  const http = createServer((request, response) => void serveDesk(desk, request, response));
  http.on("clientError", (_, socket) => socket.destroy());

  const admit = async (socket: TLSSocket, name: string): Promise<void> => {
    const stream = (Object.keys(GATE_STREAMS) as GateStream[]).find((one) => GATE_STREAMS[one] === socket.alpnProtocol);
    if (stream === undefined) return void socket.destroy();
    socket.setKeepAlive(true, KEEP_ALIVE_MILLISECONDS);
    const key = provenBy(socket);
    const known = guests.get(key);
    const stands = known?.stands ?? standing(custodian, socket, (profile) => profile === "worker");
    // Who is here has been asked about within the last second.
    if (known === undefined && !(await stands())) {
      onWorker(name, "refused");
      return void socket.destroy();
    }
    const guest = guests.get(key) ?? { name, stands, sockets: new Set(), vouchedAt: performance.now() };
    if (socket.destroyed) return;
    if (guest.sockets.size === 0) onWorker(name, "came");
    guests.set(key, guest);
    guest.sockets.add(socket);
    socket.once("close", () => {
      guest.sockets.delete(socket);
      if (guest.sockets.size > 0 || guests.get(key) !== guest) return;
      guests.delete(key);
      onWorker(name, "left");
    });
    if (stream === "desk") http.emit("connection", socket);
    else carry(socket, connectTo(places[stream]));
  };
  const listener = await listenTls({
    ...options.identity,
    host: options.host,
    port: options.port,
    maxConnections: MOST_STREAMS,
    maxHandshakesPerAddress: MOST_HANDSHAKES,
    groups: CHANNEL_GROUP,
    protocols: Object.values(GATE_STREAMS),
    onConnection: (socket, name) => void admit(socket, name).catch(() => socket.destroy()),
  });

  const cut = (key: string, guest: Guest): void => {
    guests.delete(key);
    onWorker(guest.name, "cut");
    for (const socket of guest.sockets) socket.destroy();
  };
  const looking = (async () => {
    while (!closing.signal.aborted) {
      for (const [key, guest] of guests) {
        const stands = await guest.stands().catch(() => undefined);
        if (stands === true) guest.vouchedAt = performance.now();
        else if (stands === false || performance.now() - guest.vouchedAt > SILENCE_MILLISECONDS) cut(key, guest);
      }
      await pause(LOOK_MILLISECONDS, closing.signal);
    }
  })();
  return {
    port: listener.port,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await looking;
      await listener[Symbol.asyncDispose]();
    },
  };
}

function connectTo(place: Place): Socket {
  const socket = connect(place);
  socket.setNoDelay(true);
  return socket;
}

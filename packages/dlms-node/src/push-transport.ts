import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { encodeWrapper, readWrapperDatagram } from "@meterkeep/dlms";
import { FrameDeadline } from "./frame-deadline.ts";
import { connectTcp, onOctets } from "./tcp.ts";
import { cannotListen, LOOPBACK } from "./tcp-listener.ts";
import { TransportError } from "./transport-error.ts";
import { type WrapperApdu, WrapperFrames } from "./wrapper-frames.ts";

/** An APDU that arrived unasked, and from where. The address proves nothing. */
export interface ReceivedPush extends WrapperApdu {
  readonly transport: "tcp" | "udp";
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export interface PushListenerOptions {
  /** Loopback unless given. */
  readonly host?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  readonly onPush: (push: ReceivedPush) => void;
  /** Connections at once (TCP); 1 024 unless given. */
  readonly maxConnections?: number;
  /** Milliseconds of silence after which a connection is closed (TCP); 60 000 unless given. */
  readonly idleTimeoutMilliseconds?: number;
  /** Milliseconds in which a frame that has begun must be whole (TCP), however its octets drip; 10 000 unless given. */
  readonly frameTimeoutMilliseconds?: number;
  /** Connections at once from one address (TCP); as many as in all unless given. */
  readonly maxConnectionsPerAddress?: number;
}

/** A listening push receiver. Disposing closes the port and every connection. */
export interface PushListener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_MAX_CONNECTIONS = 1024;
const DEFAULT_IDLE_TIMEOUT_MILLISECONDS = 60_000;
const DEFAULT_FRAME_TIMEOUT_MILLISECONDS = 10_000;

/** Receives pushes in wrappers over TCP. A connection that sends anything else is closed. @throws TransportError `listen-failed`. */
export function listenForPushesTcp(options: PushListenerOptions): Promise<PushListener> {
  const host = options.host ?? LOOPBACK;
  const sockets = new Set<Socket>();
  const perAddress = options.maxConnectionsPerAddress ?? Number.POSITIVE_INFINITY;
  const listener = createServer((socket) => {
    const { remoteAddress } = socket;
    if ([...sockets].filter((other) => other.remoteAddress === remoteAddress).length >= perAddress) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    receive(socket, options);
  });
  listener.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    listener.once("error", (cause) => reject(cannotListen("tcp", host, options.port ?? 0, cause)));
    listener.listen(options.port ?? 0, host, () => {
      listener.removeAllListeners("error");
      const { port } = listener.address() as AddressInfo;
      const stop = async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((done) => listener.close(() => done()));
      };
      resolve({ host, port, [Symbol.asyncDispose]: stop });
    });
  });
}

function receive(socket: Socket, options: PushListenerOptions): void {
  const { onPush, idleTimeoutMilliseconds, frameTimeoutMilliseconds = DEFAULT_FRAME_TIMEOUT_MILLISECONDS } = options;
  const frames = new WrapperFrames();
  const from = { remoteAddress: socket.remoteAddress ?? "", remotePort: socket.remotePort ?? 0 };
  socket.setTimeout(idleTimeoutMilliseconds ?? DEFAULT_IDLE_TIMEOUT_MILLISECONDS, () => socket.destroy());
  socket.on("error", () => {});
  const deadline = new FrameDeadline(frameTimeoutMilliseconds, () => socket.destroy());
  socket.on("close", () => deadline.clear());
  onOctets(socket, (chunk) => {
    try {
      const whole = frames.push(chunk);
      for (const frame of whole) onPush({ ...frame, ...from, transport: "tcp" });
      deadline.saw(frames, whole.length);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      socket.destroy();
    }
  });
}

/** Receives pushes in wrappers over UDP, one to a datagram; others are dropped. @throws TransportError `listen-failed`. */
export function listenForPushesUdp(options: PushListenerOptions): Promise<PushListener> {
  const host = options.host ?? LOOPBACK;
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.on("message", (datagram, { address, port }) => {
    const frame = readWrapperDatagram(datagram);
    if (frame === undefined) return;
    options.onPush({ ...frame, transport: "udp", remoteAddress: address, remotePort: port });
  });
  return new Promise((resolve, reject) => {
    socket.once("error", (cause) => reject(cannotListen("udp", host, options.port ?? 0, cause)));
    socket.bind(options.port ?? 0, host, () => {
      socket.removeAllListeners("error");
      // An ICMP error of an earlier answer is no reason to stop listening.
      socket.on("error", () => {});
      resolve({ host, port: socket.address().port, [Symbol.asyncDispose]: () => closeUdp(socket) });
    });
  });
}

/** Where a push goes. */
export interface PushDestination {
  readonly transport: "tcp" | "udp";
  readonly host: string;
  readonly port: number;
  /** Wrapper ports. */
  readonly sourceSap: number;
  readonly destinationSap: number;
}

/** Sends one push and closes. Resolves when the octets have left. @throws TransportError when they cannot be sent. */
export async function sendPush(apdu: Uint8Array, destination: PushDestination): Promise<void> {
  const { transport, host, port, sourceSap, destinationSap } = destination;
  const frame = encodeWrapper(sourceSap, destinationSap, apdu);
  if (transport === "udp") return sendDatagram(frame, host, port);
  const socket = await connectTcp({ host, port });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (cause) =>
      reject(new TransportError("connection-closed", `push to ${host}:${port} failed: ${cause.message}`, { cause })),
    );
    socket.end(frame, () => resolve());
  });
  socket.destroySoon();
}

function sendDatagram(frame: Uint8Array, host: string, port: number): Promise<void> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  return new Promise((resolve, reject) => {
    socket.send(frame, port, host, (cause) => {
      socket.close();
      if (cause === null) resolve();
      else
        reject(new TransportError("connection-failed", `push to ${host}:${port} failed: ${cause.message}`, { cause }));
    });
  });
}

async function closeUdp(socket: UdpSocket): Promise<void> {
  await new Promise<void>((resolve) => socket.close(() => resolve()));
}

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import {
  type Cancellation,
  DatagramClient,
  type DatagramClientEvent,
  type DatagramClientOptions,
  type Exchange,
  type Line,
} from "@meterkeep/dlms";
import { AnswerQueue } from "./answer-queue.ts";
import type { ApduConnection, ConnectionSettings } from "./apdu-connection.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { type GatewayRoute, type GatewaySettings, gatewayRoute } from "./gateway-route.ts";
import { TransportError } from "./transport-error.ts";

export interface UdpTarget extends DatagramClientOptions, ConnectionSettings, GatewaySettings {
  readonly host: string;
  readonly port: number;
  readonly signal?: Cancellation;
}

/**
 * A meter's logical device over UDP with the wrapper: a socket that hears this one address only.
 *
 * States: open, with at most one exchange waiting; closed.
 */
export class UdpConnection implements ApduConnection {
  readonly #socket: Socket;
  readonly #machine: DatagramClient;
  readonly #route: GatewayRoute;
  readonly #answers: AnswerQueue;
  readonly #timer = new DeadlineTimer(() => this.#step({ kind: "time" }));

  /** Takes over a connected socket. */
  constructor(socket: Socket, target: UdpTarget) {
    this.#socket = socket;
    this.#machine = new DatagramClient(target);
    this.#route = gatewayRoute(target);
    this.#answers = new AnswerQueue(target, `udp://${target.host}:${target.port}`, () => this.#release());
    socket.on("message", (octets) => this.#step({ kind: "datagram", octets }));
    socket.on("error", (cause) =>
      this.#answers.close(new TransportError("connection-closed", `UDP failed: ${cause.message}`, { cause })),
    );
  }

  /** Sends an APDU, repeats it as long as nothing comes back, and gives the answer. @throws as `ApduConnection`. */
  readonly exchange: Exchange = (apdu, signal) => this.#answers.exchange(signal, () => this.#send(apdu, true));

  /** The same connection one way at a time; what goes out here is not repeated. */
  readonly line: Line = {
    send: (apdu) => {
      this.#answers.requireOpen();
      this.#send(apdu, false);
    },
    receive: (signal) => this.#answers.next(signal),
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#answers.close(new TransportError("connection-closed", "the connection was closed here"));
    await Promise.resolve();
  }

  #send(apdu: Uint8Array, expectsAnswer: boolean): void {
    this.#step({ kind: "send", apdu: this.#route.outward(apdu), expectsAnswer });
  }

  #step(event: DatagramClientEvent): void {
    for (const action of this.#machine.step(event, performance.now())) {
      if (action.kind === "transmit") this.#socket.send(action.octets);
      else if (action.kind === "failed") this.#answers.close(action.error);
      else {
        const apdu = this.#route.inward(action.apdu);
        if (apdu !== undefined) this.#answers.deliver(apdu);
      }
    }
    this.#timer.set(this.#machine.deadline);
  }

  #release(): void {
    this.#timer.clear();
    this.#socket.close();
  }
}

/**
 * Opens a socket towards a meter. UDP connects to nobody: whether it is there shows with the first request.
 *
 * @throws TransportError `connection-failed` (unknown name) or `exchange-aborted`.
 */
export async function connectWrapperUdp(target: UdpTarget): Promise<UdpConnection> {
  const { host, port, signal } = target;
  if (signal?.aborted === true)
    throw new TransportError("exchange-aborted", `connecting to ${host}:${port} was cancelled`, {
      cause: signal.reason,
    });
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  try {
    const connected = once(socket, "connect");
    socket.connect(port, host);
    await connected;
  } catch (cause) {
    socket.close();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TransportError("connection-failed", `no UDP socket to ${host}:${port}: ${why}`, { cause });
  }
  return new UdpConnection(socket, target);
}

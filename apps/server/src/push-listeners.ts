import { connectTcp, listenForPushesTcp, listenForPushesUdp, type ReceivedPush } from "@meterkeep/dlms-node";
import { type Address, type GatewayPolicy, listenToGateway, type PushIntake } from "@meterkeep/headend";
import type { Logger } from "pino";
import { pause } from "./repeat.ts";
import { isLoopback } from "./warnings.ts";

/** The longest silence of a serial gateway before its line counts as dead. */
const GATEWAY_SILENCE_MILLISECONDS = 15 * 60_000;
const MAX_GATEWAYS = 64;
const CONNECTIONS_PER_ADDRESS = 32;

/** Everything that hears meters which speak unasked: the push port over TCP and UDP, and serial gateways. */
export class PushListeners implements AsyncDisposable {
  readonly #intake: Pick<PushIntake, "take">;
  readonly #gatewayPolicy: GatewayPolicy;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #gateways = new Map<string, Promise<void>>();
  readonly #ports: AsyncDisposable[] = [];

  constructor(intake: Pick<PushIntake, "take">, gatewayPolicy: GatewayPolicy, logger: Logger) {
    this.#intake = intake;
    this.#gatewayPolicy = gatewayPolicy;
    this.#logger = logger;
  }

  /** Listens on one port, TCP and UDP. @returns the port. */
  async listen(host: string, port: number): Promise<number> {
    const onPush = (push: ReceivedPush): void =>
      this.#intake.take({ apdu: push.apdu, transport: push.transport, address: push.remoteAddress });
    const tcp = await listenForPushesTcp({
      host,
      port,
      onPush,
      // The whole town has one address; in a network, one address is one meter or one concentrator.
      ...(isLoopback(host) ? {} : { maxConnectionsPerAddress: CONNECTIONS_PER_ADDRESS }),
    });
    this.#ports.push(tcp);
    this.#ports.push(await listenForPushesUdp({ host, port: tcp.port, onPush }));
    return tcp.port;
  }

  /** Listens to a serial gateway, for as long as the server runs; a second time changes nothing. */
  follow(address: Address): void {
    const name = `${address.host}:${address.port}`;
    if (this.#gateways.has(name) || this.#closing.signal.aborted) return;
    if (this.#gateways.size >= MAX_GATEWAYS) {
      this.#logger.warn({ gateway: name }, `more than ${MAX_GATEWAYS} gateways: this one is not listened to`);
      return;
    }
    const following = listenToGateway(
      {
        open: async (place, signal) => openGateway(await this.#gatewayPolicy.permit(place), signal),
        take: (push) => this.#intake.take(push),
        sleep: pause,
        random: Math.random,
        onState: (_, error) =>
          error === undefined
            ? this.#logger.info({ gateway: name }, "listening to the gateway")
            : this.#logger.warn({ gateway: name, reason: (error as Error).message }, "the gateway is not heard"),
      },
      address,
      this.#closing.signal,
    );
    this.#gateways.set(name, following);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const port of this.#ports) await port[Symbol.asyncDispose]();
    await Promise.allSettled(this.#gateways.values());
  }
}

async function openGateway(address: Address, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const socket = await connectTcp({ ...address, signal });
  socket.setTimeout(GATEWAY_SILENCE_MILLISECONDS, () => socket.destroy(new Error("the gateway has been silent")));
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  return socket;
}

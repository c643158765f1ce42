import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { encodeWrapper } from "@meterkeep/dlms";
import { connectTcp, connectTls } from "@meterkeep/dlms-node";
import type { VirtualMeter } from "@meterkeep/meter";
import type { Durability, MeterLine } from "./meter-line.ts";
import { PUSH_SAPS } from "./way-out.ts";

/** Where a meter calls. */
export interface CallTarget {
  readonly host: string;
  readonly port: number;
  /** Over mutual TLS, where it does. */
  readonly tls?: {
    /** The common name in the head-end's certificate. */
    readonly headEnd: string;
    /** What its maker gave it for the time before it is enrolled: `TITLE.trunk.key`, `TITLE.trunk.crt` and `authorities.pem`. */
    readonly directory: string;
  };
}

/** Between a connection that ended and the next try: meters that lost their line together must not come back together. */
const PAUSE_MILLISECONDS = [500, 3_000] as const;

/**
 * Calls the head-end for one meter and keeps the connection. Over TLS its certificate says who it is; otherwise it says so
 * by a push. Then it answers on it.
 *
 * States: *waiting*, until its meter is in the field or the pause is over; *connecting*; *connected*; *asleep*, until it is
 * woken; *stopped*.
 */
export class Caller {
  readonly #meter: VirtualMeter;
  readonly #line: MeterLine;
  readonly #durability: Durability;
  readonly #target: CallTarget;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #asleep = false;
  #shown: string | undefined;

  constructor(meter: VirtualMeter, line: MeterLine, durability: Durability, target: CallTarget) {
    this.#meter = meter;
    this.#line = line;
    this.#durability = durability;
    this.#target = target;
  }

  /** The serial number of the certificate that it last connected with over TLS, lower-case hex. */
  get shown(): string | undefined {
    return this.#shown;
  }

  /** Whether it is connected. */
  get connected(): boolean {
    return this.#socket !== undefined;
  }

  start(): void {
    this.#later();
  }

  /** Hangs up, and does not call again before it is woken: a modem that is only on when it is paged. */
  sleep(): void {
    this.#asleep = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  wake(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    if (this.#socket === undefined) this.#later();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #later(): void {
    if (this.#stopped || this.#asleep) return;
    const [least, most] = PAUSE_MILLISECONDS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#call(), least + Math.random() * (most - least));
  }

  async #call(): Promise<void> {
    let socket: Socket;
    try {
      socket = await this.#connect();
    } catch {
      // Nobody listens yet, or it has no certificate yet.
      this.#later();
      return;
    }
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#socket = undefined;
      this.#later();
    });
    if (this.#stopped || this.#asleep) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    if (this.#target.tls !== undefined) this.#serve(socket);
    else {
      const apdu = this.#meter.buildPush("report");
      this.#durability.afterCommit(() => {
        if (!socket.writable) return;
        socket.write(encodeWrapper(PUSH_SAPS.sourceSap, PUSH_SAPS.destinationSap, apdu));
        this.#serve(socket);
      });
    }
  }

  #serve(socket: Socket): void {
    this.#line.accept(socket);
    // It is kept: silence ends it at the other side, where the addresses are scarce.
    socket.setTimeout(0);
  }

  async #connect(): Promise<Socket> {
    const { host, port, tls } = this.#target;
    if (tls === undefined) return connectTcp({ host, port });
    const own = this.#meter.tlsCredentials ?? (await this.#factoryCredentials(tls.directory));
    const { serialNumber } = new X509Certificate(own.certificate);
    const socket = await connectTls({ host, port, peer: tls.headEnd, ...own });
    this.#shown = serialNumber.toLowerCase();
    return socket;
  }

  async #factoryCredentials(directory: string) {
    const read = (file: string): Promise<string> => readFile(`${directory}/${file}`, "utf8");
    const { systemTitle } = this.#meter.record;
    return {
      certificate: await read(`${systemTitle}.trunk.crt`),
      privateKey: await read(`${systemTitle}.trunk.key`),
      authorities: await read("authorities.pem"),
    };
  }
}

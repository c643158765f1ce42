import { connect, type Socket } from "node:net";
import { encodeWrapper } from "@meterkeep/dlms";
import type { VirtualMeter } from "@meterkeep/meter";
import type { Durability, MeterLine } from "./meter-line.ts";

/** Where a meter calls. */
export interface CallTarget {
  readonly host: string;
  readonly port: number;
}

/** Wrapper ports of the notification that says who calls: the logical device, and the client that listens. */
const SAPS = [1, 1] as const;
/** Between a connection that ended and the next try: meters that lost their line together must not come back together. */
const PAUSE_MILLISECONDS = [500, 3_000] as const;

/**
 * Calls the head-end for one meter and keeps the connection: says who it is by a push, and then answers on it.
 *
 * States: *waiting*, until its meter is in the field or the pause is over; *connected*; *stopped*.
 */
export class Caller {
  readonly #meter: VirtualMeter;
  readonly #line: MeterLine;
  readonly #durability: Durability;
  readonly #target: CallTarget;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(meter: VirtualMeter, line: MeterLine, durability: Durability, target: CallTarget) {
    this.#meter = meter;
    this.#line = line;
    this.#durability = durability;
    this.#target = target;
  }

  /** Whether it is connected. */
  get connected(): boolean {
    return this.#socket !== undefined;
  }

  start(): void {
    this.#later();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #later(): void {
    if (this.#stopped) return;
    const [least, most] = PAUSE_MILLISECONDS;
    this.#timer = setTimeout(() => this.#call(), least + Math.random() * (most - least));
  }

  #call(): void {
    const socket = connect({ ...this.#target, noDelay: true });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#socket = undefined;
      this.#later();
    });
    socket.once("connect", () => {
      this.#socket = socket;
      const apdu = this.#meter.buildPush("report");
      this.#durability.afterCommit(() => {
        if (!socket.writable) return;
        socket.write(encodeWrapper(...SAPS, apdu));
        this.#line.accept(socket);
        // It is kept: silence ends it at the other side, where the addresses are scarce.
        socket.setTimeout(0);
      });
    });
  }
}

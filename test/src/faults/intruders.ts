import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { encodeWrapper } from "@meterkeep/dlms";
import { makeAlarm, makePush, type PushingMeter } from "../pushing-meter.ts";

/** Nobody of the town stands there: what is held against this address is held against no meter. */
const ELSEWHERE = "127.0.0.66";
const [PUSH_SOURCE, PUSH_DESTINATION] = [1, 102];
/** A wrapper's header that never ends: version 1, and then an octet now and then. */
const HEADER = Uint8Array.of(0, 1, 0, 1, 0, 16, 0, 64);
const MOST_OPEN = 64;

/** Connections that hold a port and say nearly nothing (AMI.18), and pushes in the names of meters by who has no keys of theirs (AMI.8, AMI.11, AMI.17). */
export class Intruders implements Disposable {
  readonly #ports: readonly number[];
  readonly #open = new Map<Socket, number>();
  /** How many were shown the door. */
  ended = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  /** Opens one connection more at each port, as long as there are not many, and gives one octet more on each. */
  drip(): void {
    for (const port of this.#ports) if (this.#open.size < MOST_OPEN) this.#begin(port);
    for (const [socket, said] of this.#open) {
      if (said >= HEADER.length - 1) continue;
      socket.write(HEADER.subarray(said, said + 1));
      this.#open.set(socket, said + 1);
    }
  }

  #begin(port: number): void {
    const socket = from(port);
    this.#open.set(socket, 0);
    socket.on("close", () => {
      this.#open.delete(socket);
      this.ended += 1;
    });
  }

  /** Pushes an alarm and a register in the name of a meter, under keys that are not its own. */
  forge(port: number, title: string, now: Date): void {
    const meter: PushingMeter = { title, encryptionKey: randomBytes(16), authenticationKey: randomBytes(16) };
    const counter = 1 + Math.floor(Math.random() * 0x7fff_ffff);
    const socket = from(port);
    for (const apdu of [
      makeAlarm(meter, counter, 0xffff_ffff, now),
      makePush(meter, counter + 1, { energyWh: 4_000_000_000, now }),
      makePush(meter, counter + 2, { energyWh: 4_000_000_001, authenticated: false, now }),
    ])
      socket.write(encodeWrapper(PUSH_SOURCE, PUSH_DESTINATION, apdu));
    socket.end();
  }

  [Symbol.dispose](): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }
}

/** Whoever is refused, or finds nobody there, is no fault. */
function from(port: number): Socket {
  const socket = connect({ host: "127.0.0.1", port, localAddress: ELSEWHERE });
  socket.on("error", () => undefined);
  socket.resume();
  return socket;
}

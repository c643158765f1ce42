import assert from "node:assert/strict";
import { toHex } from "../bytes.ts";
import { type LineFault, LossyLine } from "../testing/lossy-line.test.ts";
import { HdlcClient } from "./client.ts";
import type { HdlcClientAction, HdlcClientEvent, HdlcClientOptions } from "./client-events.ts";
import { readControl } from "./control.ts";
import { HdlcFrameStream } from "./frame-stream.ts";
import { HdlcServer } from "./server.ts";
import type { HdlcPeer, HdlcServerAction, HdlcServerEvent, HdlcServerOptions } from "./server-events.ts";

// A client and a server on one line, with a clock of its own: for tests of both.

export const octets = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8) + seed) & 0xff);

/** Frames in words: `I 0 0 P S +12`, `RR 3 P`, `UA F +21`. */
export function inWords(frame: Uint8Array): string {
  const [found] = new HdlcFrameStream().push(frame);
  assert.ok(found !== undefined, toHex(frame));
  const control = readControl(found.control);
  assert.ok(control !== undefined);
  const numbers = control.kind === "I" ? ` ${control.sendNumber}` : "";
  const receive = "receiveNumber" in control ? ` ${control.receiveNumber}` : "";
  const marks = `${control.pollFinal ? " P" : ""}${found.segmented ? " S" : ""}`;
  const length = found.information.length;
  return `${control.kind}${numbers}${receive}${marks}${length > 0 ? ` +${length}` : ""}`;
}

export type Answer = (apdu: Uint8Array) => readonly Uint8Array[] | "later";

/** What the client and the server have seen, in order. */
export interface Seen {
  readonly frames: string[];
  readonly client: HdlcClientAction[];
  readonly server: HdlcServerAction[];
}

export class HdlcPair {
  readonly client: HdlcClient;
  readonly server: HdlcServer;
  readonly seen: Seen = { frames: [], client: [], server: [] };
  readonly #line: LossyLine<"client" | "server">;
  readonly #answer: Answer;
  now = 0;
  lastPeer: HdlcPeer | undefined;

  constructor(
    options: {
      client?: Partial<HdlcClientOptions>;
      server?: Partial<HdlcServerOptions>;
      faults?: readonly LineFault[];
    } = {},
    answer: Answer = (apdu) => [apdu],
  ) {
    this.client = new HdlcClient({ clientAddress: 16, server: { logicalDevice: 1 }, ...options.client });
    this.server = new HdlcServer({ logicalDevices: [1], ...options.server });
    this.#line = new LossyLine(options.faults ?? []);
    this.#answer = answer;
  }

  get harmed(): number {
    return this.#line.harmed;
  }

  /** Gives the client an event, without letting anything travel. */
  tell(event: HdlcClientEvent): void {
    for (const action of this.client.step(event, this.now)) {
      if (action.kind === "transmit") this.#transmit("server", action.octets);
      else this.seen.client.push(action);
    }
  }

  tellServer(event: HdlcServerEvent): void {
    for (const action of this.server.step(event, this.now)) {
      if (action.kind === "transmit") {
        this.#transmit("client", action.octets);
        continue;
      }
      this.seen.server.push(action);
      if (action.kind !== "apdu") continue;
      this.lastPeer = action.peer;
      const apdus = this.#answer(action.apdu);
      if (apdus !== "later") this.tellServer({ kind: "respond", peer: action.peer, apdus });
    }
  }

  /** Lets frames travel until the line is silent. */
  carry(): void {
    for (let frame = this.#line.next(); frame !== undefined; frame = this.#line.next()) {
      if (frame.to === "server") this.tellServer({ kind: "octets", octets: frame.octets });
      else this.tell({ kind: "octets", octets: frame.octets });
    }
  }

  /** Lets frames and the client's time go on until `done`, or nothing is waited for any more. */
  run(done: () => boolean): void {
    for (let turn = 0; turn < 1000; turn += 1) {
      this.carry();
      if (done() || this.client.deadline === undefined) return;
      this.now = this.client.deadline;
      this.tell({ kind: "time" });
    }
    assert.fail("the line never comes to rest");
  }

  connect(): void {
    this.tell({ kind: "connect" });
    this.run(() => this.client.isConnected);
  }

  /** The response to a request, or the code of the error it ended with. */
  ask(apdu: Uint8Array): Uint8Array | string {
    const before = this.seen.client.length;
    this.tell({ kind: "send", apdu });
    const outcome = () => this.seen.client.slice(before).find(({ kind }) => kind === "apdu" || kind === "failed");
    this.run(() => outcome() !== undefined);
    const found = outcome();
    if (found?.kind === "apdu") return found.apdu;
    return found?.kind === "failed" ? found.error.code : "nothing";
  }

  /** The frames since the last call, in words. */
  frames(): string[] {
    return this.seen.frames.splice(0);
  }

  #transmit(to: "client" | "server", frame: Uint8Array): void {
    this.seen.frames.push(`${to === "server" ? ">" : "<"} ${inWords(frame)}`);
    this.#line.send(to, frame);
  }
}

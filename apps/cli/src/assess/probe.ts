import { connectWrapper, TransportError, type WrapperConnection } from "@meterkeep/dlms-node";
import type { MeterAddress } from "../access/meter-address.ts";
import { type Answer, type CipheredAs, type Meaning, meaningOf } from "./answer.ts";
import type { Evidence } from "./evidence.ts";

/** What a probe needs to know. */
export interface ProbeOptions {
  readonly address: MeterAddress;
  readonly clientSap: number;
  readonly serverSap: number;
  readonly timeoutMilliseconds: number;
  readonly evidence: Evidence;
  /** Milliseconds, rising. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** A connection on which any octets can be said, and whatever comes back is written down. */
export class Probe implements AsyncDisposable {
  readonly #line: WrapperConnection;
  readonly #options: ProbeOptions;

  constructor(line: WrapperConnection, options: ProbeOptions) {
    this.#line = line;
    this.#options = options;
  }

  /** Sends an APDU and waits for what comes back; silence and a closed connection are answers too. */
  async say(label: string, apdu: Uint8Array): Promise<Answer> {
    const { evidence, now, signal } = this.#options;
    evidence.sent(label, apdu);
    const begun = now();
    try {
      this.#line.send(apdu);
      const octets = await this.#line.line.receive(signal);
      const milliseconds = now() - begun;
      const answer: Answer =
        octets === undefined ? { kind: "silence", milliseconds } : { kind: "octets", octets, milliseconds };
      evidence.received(meaningOf(answer).words, octets, milliseconds);
      return answer;
    } catch (error) {
      if (!(error instanceof TransportError) || error.code === "exchange-aborted") throw error;
      const milliseconds = now() - begun;
      evidence.received("the meter closed the connection", undefined, milliseconds);
      return { kind: "closed", milliseconds };
    }
  }

  /** Sends a request, reads what the answer means, and writes that down. */
  async ask(label: string, apdu: Uint8Array, parties?: CipheredAs): Promise<Meaning> {
    const meaning = meaningOf(await this.say(label, apdu), parties);
    this.#options.evidence.explain(meaning.words);
    return meaning;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#line[Symbol.asyncDispose]();
  }
}

/** Connects. @throws TransportError when the meter takes no connection */
export async function openProbe(options: ProbeOptions): Promise<Probe> {
  const { address, clientSap, serverSap, timeoutMilliseconds, signal } = options;
  const line = await connectWrapper({
    ...address,
    clientSap,
    serverSap,
    responseTimeoutMilliseconds: timeoutMilliseconds,
    connectTimeoutMilliseconds: timeoutMilliseconds,
    signal,
  });
  return new Probe(line, options);
}

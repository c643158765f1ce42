import { LineError } from "@meterkeep/dlms";
import { type ApduConnection, TransportError } from "@meterkeep/dlms-node";
import { connectMeter, type Reach } from "../access/connection.ts";
import { type Answer, type CipheredAs, type Meaning, meaningOf } from "./answer.ts";
import type { Evidence } from "./evidence.ts";
import type { RequestForms } from "./requests.ts";

/** What a probe needs to know. */
export interface ProbeOptions {
  readonly reach: Reach;
  readonly clientSap: number;
  readonly evidence: Evidence;
  readonly requests: RequestForms;
  /** Milliseconds, rising. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Errors of the line that mean that nothing came. */
const SILENCE: ReadonlySet<string> = new Set(["response-timeout", "line-silent"]);

/** A connection on which any octets can be said, and whatever comes back is written down. */
export class Probe implements AsyncDisposable {
  readonly #line: ApduConnection;
  readonly #options: ProbeOptions;

  constructor(line: ApduConnection, options: ProbeOptions) {
    this.#line = line;
    this.#options = options;
  }

  /** How what the meter holds is asked for. */
  get requests(): RequestForms {
    return this.#options.requests;
  }

  /** Sends an APDU and waits for what comes back; silence and a closed connection are answers too, and end the connection. */
  async say(label: string, apdu: Uint8Array): Promise<Answer> {
    const { evidence, now, signal } = this.#options;
    evidence.sent(label, apdu);
    const begun = now();
    try {
      const octets = await this.#line.exchange(apdu, signal);
      const milliseconds = now() - begun;
      const answer: Answer = { kind: "octets", octets, milliseconds };
      evidence.received(meaningOf(answer).words, octets, milliseconds);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TransportError || error instanceof LineError)) throw error;
      const kind = SILENCE.has(error.code) ? "silence" : "closed";
      const answer: Answer = { kind, milliseconds: now() - begun };
      evidence.received(meaningOf(answer).words, undefined, answer.milliseconds);
      return answer;
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

/** Connects. @throws TransportError, LineError when the meter takes no connection */
export async function openProbe(options: ProbeOptions): Promise<Probe> {
  const { reach, clientSap, signal } = options;
  return new Probe(await connectMeter(reach, clientSap, signal), options);
}

import type { Duplex } from "node:stream";
import { type Cancellation, encodeWrapper } from "@meterkeep/dlms";
import {
  onOctets,
  TRANSPORT_ERROR_CODES,
  TransportError,
  type TransportErrorCode,
  type WrapperApdu,
  WrapperFrames,
} from "@meterkeep/dlms-node";
import { codeOf } from "../errors.ts";
import type { Dial, MeterLine } from "../session/line.ts";
import { parseRoute, routeText } from "./route.ts";

/**
 * What goes between a worker and the process that holds connections which several sessions share, or which a meter has made:
 * wrapper frames (IEC 62056-47) with one of these where the sender's access point would be. One stream is one line to one
 * meter, so that whoever dies ends exactly its own.
 */
const SAID = {
  /** Worker: route and service access points, as JSON. */
  call: 1,
  /** Worker: an APDU that wants an answer. */
  request: 2,
  /** Worker: an answer was authenticated as the meter's. */
  proven: 3,
  /** Holder: the line is there. */
  connected: 4,
  /** Holder: the answer to the request. */
  answer: 5,
  /** Holder: there is none, or no line, with code and message as JSON. */
  failed: 6,
} as const;
type Said = (typeof SAID)[keyof typeof SAID];

/** Nobody asks before the last answer is there, but for the word that one was proven. */
const MOST_WAITING = 3;
const NOTHING = Uint8Array.of(0);

/**
 * Serves one worker's line over a stream, for as long as the stream is open: `dial` is this process's own. A worker that is
 * killed leaves a stream that ends, and its line with it; what it had asked for is given up, as any session does that is
 * cancelled.
 */
export function serveLine(stream: Duplex, dial: Dial): void {
  const gone = new AbortController();
  let line: MeterLine | undefined;
  let waiting = 0;
  let turn = Promise.resolve();
  const say = (what: Said, octets: Uint8Array): void => {
    if (stream.writable) stream.write(encodeWrapper(what, 0, octets));
  };
  const answer = async ({ source, apdu }: WrapperApdu): Promise<void> => {
    if (source === SAID.call && line === undefined) {
      line = await called(dial, apdu, gone.signal);
      say(SAID.connected, NOTHING);
    } else if (source === SAID.request && line !== undefined) {
      say(SAID.answer, await line.exchange(apdu, gone.signal));
    } else if (source === SAID.proven) line?.proven?.();
    else stream.destroy();
  };
  stream.on("error", () => undefined);
  hear(stream, (frame) => {
    waiting += 1;
    if (waiting > MOST_WAITING) stream.destroy();
    turn = turn
      .then(() => (gone.signal.aborted ? undefined : answer(frame)))
      .catch((error: unknown) => say(SAID.failed, json({ code: codeOf(error), message: (error as Error).message })))
      .finally(() => {
        waiting -= 1;
      });
  });
  stream.on("close", () => {
    gone.abort(new TransportError("connection-closed", "the worker has ended its line"));
    void turn.then(() => line?.[Symbol.asyncDispose]()).catch(() => undefined);
  });
}

/**
 * Follows routes over the process that holds their connections; `connect` makes a stream to it.
 *
 * @throws TransportError as that process's own dial does; `connection-failed` where it is not there.
 */
export function switchboardDial(connect: (signal: Cancellation) => Promise<Duplex>): Dial {
  return async (route, saps, signal) => {
    const line = new HandedLine(await connect(signal));
    try {
      await line.ask(
        SAID.call,
        json({ route: routeText(route), clientSap: saps.clientSap, serverSap: saps.serverSap }),
        signal,
      );
    } catch (error) {
      await line[Symbol.asyncDispose]();
      throw error;
    }
    return line;
  };
}

/**
 * The worker's end of a line.
 *
 * States: *idle*; *asking*, until the answer or a failure is there; *ended*, when the stream has ended or a question was
 * cancelled.
 */
class HandedLine implements MeterLine {
  readonly #stream: Duplex;
  #asking: { readonly resolve: (octets: Uint8Array) => void; readonly reject: (error: Error) => void } | undefined;
  #ended: TransportError | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const lost = (cause?: Error): void =>
      this.#end(new TransportError("connection-closed", "the process that holds the connection is gone", { cause }));
    stream.on("error", lost);
    stream.on("close", () => lost());
    hear(stream, ({ source, apdu }) => {
      const asking = this.#asking;
      this.#asking = undefined;
      if (source === SAID.failed) asking?.reject(failureOf(apdu));
      else asking?.resolve(apdu);
    });
  }

  readonly exchange: MeterLine["exchange"] = (apdu, signal) => this.ask(SAID.request, apdu, signal);

  proven(): void {
    this.#say(SAID.proven, NOTHING);
  }

  /** Says something and waits for what is said to it. */
  ask(what: Said, octets: Uint8Array, signal: Cancellation): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    if (this.#ended !== undefined) reject(this.#ended);
    else if (this.#asking !== undefined)
      reject(new TransportError("exchange-busy", "one exchange at a time: await the last"));
    else {
      const abort = (): void =>
        this.#end(new TransportError("exchange-aborted", "the exchange was cancelled", { cause: signal.reason }));
      this.#asking = { resolve, reject };
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
      else this.#say(what, octets);
      return promise.finally(() => signal.removeEventListener("abort", abort));
    }
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new TransportError("connection-closed", "the connection was closed here"));
    if (!this.#stream.closed) await new Promise<void>((resolve) => this.#stream.once("close", () => resolve()));
  }

  #say(what: Said, octets: Uint8Array): void {
    if (this.#stream.writable) this.#stream.write(encodeWrapper(what, 0, octets));
  }

  #end(reason: TransportError): void {
    this.#ended ??= reason;
    this.#asking?.reject(reason);
    this.#asking = undefined;
    this.#stream.destroy();
  }
}

function hear(stream: Duplex, take: (frame: WrapperApdu) => void): void {
  const frames = new WrapperFrames();
  onOctets(stream, (chunk) => {
    try {
      for (const frame of frames.push(chunk)) take(frame);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      stream.destroy(error);
    }
  });
}

/** What is held here is no way to an address: those a worker dials itself. */
async function called(dial: Dial, octets: Uint8Array, signal: AbortSignal): Promise<MeterLine> {
  const said = JSON.parse(Buffer.from(octets).toString("utf8")) as Record<"route" | "clientSap" | "serverSap", unknown>;
  const route = parseRoute(String(said.route));
  if (route.kind !== "concentrator" && route.kind !== "dial-in")
    throw new TransportError("connection-failed", `a way of the kind ${route.kind} is not held here`);
  return dial(route, { clientSap: Number(said.clientSap), serverSap: Number(said.serverSap) }, signal);
}

function failureOf(octets: Uint8Array): Error {
  const { code, message } = JSON.parse(Buffer.from(octets).toString("utf8")) as { code: string; message: string };
  const known = TRANSPORT_ERROR_CODES.find((one) => one === code) ?? ("connection-failed" satisfies TransportErrorCode);
  return new TransportError(known, message);
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

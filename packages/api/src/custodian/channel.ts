import { X509Certificate } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { type Codec, decode, encode } from "@meterkeep/dlms";
import { CustodianCallError } from "./call-error.ts";
import { callError, type Frame, frame, METHOD_BY_NAME, namedRequest } from "./frame.ts";
import { FrameCutter } from "./frame-stream.ts";
import { FrameWriter } from "./frame-writer.ts";
import { CUSTODIAN_METHODS, type Custodian } from "./methods.ts";
import { Silence } from "./silence.ts";

export { FrameCutter } from "./frame-stream.ts";
export { FrameWriter } from "./frame-writer.ts";

/** How to reach the custodian, and as whom. */
export interface CustodianChannelOptions {
  /** The Unix socket. */
  readonly socketPath: string;
  /** The caller's own certificate and private key, PEM: the certificate decides what it may do. */
  readonly certificate: string;
  readonly privateKey: string;
  /** The custodian's certificate, PEM: no other is accepted. */
  readonly custodianCertificate: string;
  /** How long a connection may take before the calls that wait for it fail; 5 000 unless told. */
  readonly connectMilliseconds?: number;
  /**
   * How long the custodian may send nothing at all while calls wait for it. Then the connection is given up and they fail,
   * as a process that was stopped never says that it is gone; 8 000 unless told.
   */
  readonly silenceMilliseconds?: number;
}

/** How both ends of the channel agree on keys: X25519 and ML-KEM-768 together, and nothing else (ADR 0021). */
export const CHANNEL_GROUP = "X25519MLKEM768";

/** What a TLS connection has agreed on. */
export interface NegotiatedChannel {
  readonly protocol: string;
  readonly cipher: string;
  readonly group: string;
}

/** The custodian over its channel. Calls are pipelined; a lost connection is made anew by the next call. */
export interface CustodianClient extends Custodian {
  /**
   * Asks for something by name that is not in the table of methods: it is refused with `method-not-offered` and written
   * to the custodian's ledger. For drills.
   */
  askByName(name: string, payload?: Uint8Array): Promise<Uint8Array>;
  /** What the connection has agreed on: protocol, cipher and group; undefined while there is none. */
  negotiated(): Promise<NegotiatedChannel | undefined>;
  /** Ends the connection; open calls fail with `channel-closed`. */
  close(): Promise<void>;
}

/** A client of the custodian at `options.socketPath`. It connects with the first call. */
export function custodianClient(options: CustodianChannelOptions): CustodianClient {
  const channel = new Channel(options);
  const methods = Object.entries(CUSTODIAN_METHODS).map(([name, { number, request, response }]) => [
    name,
    async (value: unknown) =>
      decode(response as Codec<unknown>, await channel.call(number, encode(request as Codec<unknown>, value))),
  ]);
  return {
    ...(Object.fromEntries(methods) as Custodian),
    askByName: (name, payload = new Uint8Array(0)) =>
      channel.call(METHOD_BY_NAME, encode(namedRequest, { name, payload })),
    negotiated: () => channel.negotiated(),
    close: () => channel.close(),
  };
}

/** With more calls open than this, those that follow share writes. */
const SHARING_CALLS = 4;

interface Pending {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: CustodianCallError) => void;
}

interface Connection {
  readonly socket: TLSSocket;
  readonly writer: FrameWriter;
  readonly silence: Silence;
  readonly pending: Map<number, Pending>;
}

/**
 * One connection at a time.
 *
 * States: *idle* (no connection; a call starts one), *connecting* (calls wait for the same promise), *connected*,
 * *closed* (for good). A connection that ends takes its open calls with it: the caller alone knows which may be
 * repeated.
 */
class Channel {
  readonly #options: CustodianChannelOptions;
  #connection: Promise<Connection> | undefined;
  #correlation = 0;
  #closed = false;

  constructor(options: CustodianChannelOptions) {
    this.#options = options;
  }

  async call(method: number, payload: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw new CustodianCallError("channel-closed", "this client of the custodian has been closed");
    this.#connection ??= this.#connect();
    const { writer, pending, socket, silence } = await this.#connection;
    if (socket.destroyed) throw new CustodianCallError("custodian-unreachable", "the connection has just ended");
    this.#correlation = (this.#correlation + 1) % 0x1_0000_0000;
    const correlation = this.#correlation;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    pending.set(correlation, { resolve, reject });
    silence.asked();
    writer.write(encode(frame, { kind: "request", correlation, method, payload }));
    return promise;
  }

  async negotiated(): Promise<NegotiatedChannel | undefined> {
    const connection = await this.#connection?.catch(() => undefined);
    if (connection === undefined || connection.socket.destroyed) return undefined;
    const { socket } = connection;
    const group = socket.getEphemeralKeyInfo() as { readonly name?: string } | null;
    return { protocol: socket.getProtocol() ?? "", cipher: socket.getCipher().name, group: group?.name ?? "" };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection?.catch(() => undefined);
    if (connection === undefined || connection.socket.destroyed) return;
    const ended = new Promise((resolve) => connection.socket.once("close", resolve));
    connection.writer.flush();
    connection.socket.end();
    connection.socket.destroySoon();
    await ended;
  }

  #connect(): Promise<Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const { socketPath, certificate, privateKey, custodianCertificate } = this.#options;
    const pinned = new X509Certificate(custodianCertificate).raw;
    const socket = connect({
      path: socketPath,
      cert: certificate,
      key: privateKey,
      ca: [custodianCertificate],
      minVersion: "TLSv1.3",
      ecdhCurve: CHANNEL_GROUP,
      // There are no names on this channel: the one certificate is pinned below.
      checkServerIdentity: () => undefined,
    });
    const silenceMilliseconds = this.#options.silenceMilliseconds ?? 8000;
    const silence = new Silence(silenceMilliseconds, () =>
      socket.destroy(new Error(`it has said nothing for ${silenceMilliseconds / 1000} s`)),
    );
    const pending = new Map<number, Pending>();
    const writer = new FrameWriter(socket, () => pending.size > SHARING_CALLS);
    const connection: Connection = { socket, writer, silence, pending };
    const deadline = setTimeout(
      () => socket.destroy(new Error("no connection in time")),
      this.#options.connectMilliseconds ?? 5000,
    );
    const cutter = new FrameCutter();
    let fault: CustodianCallError | undefined;
    socket.once("secureConnect", () => {
      clearTimeout(deadline);
      if (!pinned.equals(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0))) {
        fault = new CustodianCallError(
          "custodian-not-recognised",
          `${socketPath} shows a certificate that is not pinned`,
        );
        socket.destroy();
        return;
      }
      resolve(connection);
    });
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const octets of cutter.push(chunk)) settle(pending, decode(frame, octets));
        silence.heard(pending.size > 0);
      } catch (error) {
        fault = asFault(error);
        socket.destroy();
      }
    });
    socket.on("error", (error) => {
      fault ??= new CustodianCallError("custodian-unreachable", `the custodian at ${socketPath}: ${error.message}`, {
        cause: error,
      });
    });
    socket.once("close", () => {
      clearTimeout(deadline);
      this.#connection = undefined;
      const reason = this.#closed
        ? new CustodianCallError("channel-closed", "this client of the custodian has been closed")
        : (fault ?? new CustodianCallError("custodian-unreachable", `the custodian at ${socketPath} hung up`));
      reject(reason);
      silence.end();
      for (const { reject: fail } of pending.values()) fail(reason);
      pending.clear();
    });
    return promise;
  }
}

function settle(pending: Map<number, Pending>, answer: Frame): void {
  const waiting = pending.get(answer.correlation);
  if (waiting === undefined || answer.kind === "request")
    throw new CustodianCallError("channel-malformed", `an answer to a call that was not made (${answer.correlation})`);
  pending.delete(answer.correlation);
  if (answer.kind === "response") {
    waiting.resolve(answer.payload);
    return;
  }
  const { code, message } = decode(callError, answer.payload);
  waiting.reject(new CustodianCallError(code, message));
}

function asFault(error: unknown): CustodianCallError {
  return error instanceof CustodianCallError
    ? error
    : new CustodianCallError("channel-malformed", "the custodian's answer cannot be read", { cause: error });
}

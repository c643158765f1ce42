import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { connectTcp, openSerial, setSerial } from "@meterkeep/dlms-node";
import { CliError } from "../error.ts";

/** What a bridge leads to, said when it is started: a page can name no other place. */
export interface BridgeTarget {
  readonly address: string;
  readonly link: "hdlc" | "wrapper";
  readonly optical: boolean;
  /** A device file, or where to connect. */
  readonly serial: string | undefined;
  readonly host: string;
  readonly port: number;
}

/** A bridge, listening. */
export interface FieldBridge extends AsyncDisposable {
  readonly port: number;
}

const LOOPBACK = "127.0.0.1";
const MOST_BODY_BYTES = 70_000;
const CONNECT_MILLISECONDS = 10_000;
const OPENING = { baudRate: 300, dataBits: 7, parity: "even", stopBits: 1 } as const;
const HDLC = { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 } as const;
const FACTS_HEADER = "x-meterkeep-line";

/**
 * Carries octets between the technicians' page in a browser of this device and one line to a meter: for browsers without serial
 * ports, and for meters on a network. It listens on loopback, answers one origin, leads to one place and knows no key: what
 * passes was sealed by the page.
 *
 * `POST /lines` opens the line and answers with a stream of its octets; `POST /lines/ID` writes; `POST /lines/ID/settings` sets
 * speed and parity. One line is open at a time; the end of its stream closes it.
 */
export async function startBridge(
  target: BridgeTarget,
  { origin, port }: { readonly origin: string; readonly port: number },
): Promise<FieldBridge> {
  const lines = new Map<string, { stream: Duplex | undefined }>();
  const server = createServer({ maxHeaderSize: 8192 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, 502, error instanceof Error ? error.message : String(error));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const own = `${LOOPBACK}:${(server.address() as AddressInfo).port}`;
    // Another origin gets no header that would let it read or send, and a name of somebody's DNS is not this place.
    if (request.headers.host !== own || request.headers.origin !== origin) return send(response, 403, "not from here");
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", FACTS_HEADER);
    if (request.method === "OPTIONS") return allow(response);
    const [, folder, line = "", settings] = (request.url ?? "").split("/");
    if (request.method !== "POST" || folder !== "lines") return send(response, 404, "there is nothing here");
    if (line === "") return open(response);
    const stream = lines.get(line)?.stream;
    if (stream === undefined) return send(response, 404, "this line is closed");
    const body = await bodyOf(request);
    if (body === undefined) return send(response, 413, "too much at once");
    if (settings === undefined) await written(stream, body);
    else if (target.serial !== undefined) await setSerial(target.serial, settingsIn(body));
    response.writeHead(204).end();
  }

  async function open(response: ServerResponse): Promise<void> {
    if (lines.size > 0) return send(response, 409, "the line is in use: close the other page");
    const id = randomBytes(12).toString("hex");
    // Its place is taken before it is open: a second one would get the first one's octets.
    const ending = new AbortController();
    const place: { stream: Duplex | undefined } = { stream: undefined };
    lines.set(id, place);
    response.once("close", () => {
      lines.delete(id);
      ending.abort();
      place.stream?.destroy();
    });
    const stream = await openTarget(target, ending.signal);
    place.stream = stream;
    stream.on("error", () => response.end());
    const { address, link, optical } = target;
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      "cache-control": "no-store",
      [FACTS_HEADER]: JSON.stringify({ line: id, address, link, optical }),
    });
    response.flushHeaders();
    stream.pipe(response);
  }

  await listening(server, port);
  const close = async (): Promise<void> => {
    for (const { stream } of lines.values()) stream?.destroy();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}

async function openTarget({ serial, optical, host, port }: BridgeTarget, signal: AbortSignal): Promise<Duplex> {
  if (serial !== undefined) return openSerial(serial, optical ? OPENING : HDLC, signal, "read-write");
  return connectTcp({ host, port, connectTimeoutMilliseconds: CONNECT_MILLISECONDS, signal });
}

function allow(response: ServerResponse): void {
  response
    .writeHead(204, {
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "content-type",
      "access-control-allow-private-network": "true",
    })
    .end();
}

function send(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}

function written(stream: Duplex, octets: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => stream.write(octets, (error) => (error ? reject(error) : resolve())));
}

/** @throws CliError `option-invalid` */
function settingsIn(body: Uint8Array) {
  const { baudRate, dataBits, parity } = JSON.parse(Buffer.from(body).toString("utf8")) as Readonly<
    Record<string, unknown>
  >;
  const isRight =
    Number.isInteger(baudRate) && (dataBits === 7 || dataBits === 8) && (parity === "none" || parity === "even");
  if (!isRight) throw new CliError("option-invalid", "these are no settings of a line");
  return { baudRate: baudRate as number, dataBits: dataBits as 7 | 8, parity, stopBits: 1 } as const;
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MOST_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => resolve());
  });
}

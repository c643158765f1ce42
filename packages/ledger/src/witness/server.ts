import { chmod } from "node:fs/promises";
import { createServer as createHttp, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import { keysJson } from "../checkpoint/keys.ts";
import { LedgerError } from "../errors.ts";
import type { LedgerWitness } from "./ledger-witness.ts";

/** Where a witness listens: a Unix socket, or HTTPS. Never in clear over a network. */
export type WitnessAddress =
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "https";
      readonly host: string;
      readonly port: number;
      /** PEM. */
      readonly certificate: string;
      readonly privateKey: string;
    };

const MOST_OCTETS = 256 * 1024;
const MOST_HASHES = 128;
const PATIENCE_MS = 10_000;

/** Serves a witness; resolves when it listens. */
export async function listenAsWitness(witness: LedgerWitness, address: WitnessAddress): Promise<Server> {
  const answer: RequestListener = (request, response) => {
    const reply = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    carryOut(witness, request).then(
      (body) => (body === undefined ? reply(404, { code: "not-found" }) : reply(200, body)),
      (error: unknown) => {
        const isOurs = error instanceof LedgerError;
        reply(isOurs ? 409 : 400, { code: isOurs ? error.code : "malformed", message: (error as Error).message });
      },
    );
  };
  const server =
    address.kind === "unix"
      ? createHttp(answer)
      : createHttps({ cert: address.certificate, key: address.privateKey, minVersion: "TLSv1.3" }, answer);
  server.requestTimeout = PATIENCE_MS;
  server.maxConnections = 64;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  if (address.kind === "unix") server.listen(address.path, resolve);
  else server.listen(address.port, address.host, resolve);
  await promise;
  // Who may connect is the affair of the socket's folder; what is taken is decided by signatures.
  if (address.kind === "unix") await chmod(address.path, 0o666);
  return server;
}

async function carryOut(witness: LedgerWitness, request: IncomingMessage): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://witness");
  const call = `${request.method} ${pathname}`;
  if (call === "GET /keys") return { name: witness.name, ...keysJson(witness.keys) };
  if (call === "GET /checkpoint") return { note: await witness.last(searchParams.get("log") ?? "") };
  if (call !== "POST /checkpoint" && call !== "POST /keys") return undefined;
  const { note, former, proof, log, line } = JSON.parse(await bodyOf(request)) as Record<
    "note" | "former" | "proof" | "log" | "line",
    unknown
  >;
  const hashes = hashesOf(proof);
  if (call === "POST /checkpoint") return witness.add(String(note), Number(former), hashes);
  await witness.addKeys(String(log), { line: String(line), proof: hashes });
  return {};
}

function hashesOf(proof: unknown): Uint8Array[] {
  if (!Array.isArray(proof) || proof.length > MOST_HASHES)
    throw new RangeError(`a proof is a list of at most ${MOST_HASHES} hashes`);
  return proof.map((text) => new Uint8Array(Buffer.from(String(text), "base64")));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of request) {
    octets += (chunk as Buffer).length;
    if (octets > MOST_OCTETS) throw new RangeError("the request is too long");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

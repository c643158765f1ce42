import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** What an office of the town's world knows. */
export interface OfficeBooks {
  /** `billing`: its socket is `billing.sock`, its file `billing.json`. */
  readonly name: string;
  /** What else its file says. */
  readonly said?: Readonly<Record<string, string>>;
  /** The answer to a question of the head-end; undefined where there is none. */
  answer(method: string, path: string, body: () => Promise<unknown>): Promise<unknown>;
  /** What a clerk writes down; false where there is no such page. */
  write(path: string, body: unknown): boolean;
}

/** An office of the town's world: billing, weather. It is the clerk's, and no part of the head-end. */
export interface Office {
  close(): Promise<void>;
}

/** Where an office is and how it signs, for the head-end. */
interface Directories {
  readonly stateDirectory: string;
  readonly exchangeDirectory: string;
}

const MOST_BYTES = 1024 * 1024;

/**
 * Opens an office: over HTTP on loopback it answers, each answer signed together with what the question brought in
 * `x-nonce`; over the Unix socket `NAME.sock` in the town's directory its clerk writes with `PUT`. Where it is and how it
 * signs stands in `NAME.json` of the exchange directory.
 */
export async function openOffice(
  { name, said, answer, write }: OfficeBooks,
  { stateDirectory, exchangeDirectory }: Directories,
): Promise<Office> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const desk = serve(async (request, response) => {
    const { method = "GET", url = "", headers } = request;
    const known = await answer(method, url, async () => JSON.parse(await bodyOf(request)));
    if (known === undefined) return void response.writeHead(404).end();
    const octets = Buffer.from(JSON.stringify(known));
    const signed = Buffer.concat([Buffer.from(`${String(headers["x-nonce"] ?? "")}\n`), octets]);
    const signature = sign("sha256", signed, { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64");
    response.writeHead(200, { "content-type": "application/json", "x-signature": signature }).end(octets);
  });
  const clerk = serve(async (request, response) => {
    const isWritten = request.method === "PUT" && write(request.url ?? "", JSON.parse(await bodyOf(request)));
    response.writeHead(isWritten ? 204 : 404).end();
  });
  const socket = join(stateDirectory, `${name}.sock`);
  rmSync(socket, { force: true });
  desk.listen(0, "127.0.0.1");
  clerk.listen(socket);
  await Promise.all([once(desk, "listening"), once(clerk, "listening")]);
  const { port } = desk.address() as AddressInfo;
  const file = join(exchangeDirectory, `${name}.json`);
  const where = {
    address: `http://127.0.0.1:${port}`,
    publicKey: publicKey.export({ format: "pem", type: "spki" }).toString(),
    ...said,
  };
  writeFileSync(`${file}.new`, JSON.stringify(where));
  // The town's files are for itself alone; this one is for the head-end.
  chmodSync(`${file}.new`, 0o644);
  renameSync(`${file}.new`, file);
  return {
    close: async () => {
      for (const server of [desk, clerk]) {
        server.closeAllConnections();
        server.close();
      }
      await Promise.all([once(desk, "close"), once(clerk, "close")]);
    },
  };
}

function serve(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
  return createServer((request, response) => {
    handle(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(400);
      response.end();
    });
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES) throw new Error("too long");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

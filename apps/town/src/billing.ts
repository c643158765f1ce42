import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A work order as the office writes it. */
interface WorkOrder {
  readonly id: string;
  readonly reason: string;
  readonly meters: readonly string[];
  readonly notBefore: string;
  readonly notAfter: string;
  readonly cancelled?: boolean;
}

/** A customer. Whom nobody has written down pays, and was told of nothing. */
interface Account {
  readonly meter: string;
  readonly inArrears: boolean;
  readonly notifiedAt?: string;
  readonly contractW?: number;
}

/** The billing system of the town's world; it is the clerk's, and no part of the head-end. */
export interface Billing {
  close(): Promise<void>;
}

const MOST_BYTES = 1024 * 1024;

/**
 * Opens the billing system: over HTTP on loopback it answers about work orders and accounts, each answer signed; over the Unix
 * socket `billing.sock` in the town's directory its office writes them (`PUT /work-orders/ID`, `PUT /accounts/METER`). Where it
 * is and how it signs stands in `billing.json` of the exchange directory.
 */
export async function openBilling(stateDirectory: string, exchangeDirectory: string): Promise<Billing> {
  const orders = new Map<string, WorkOrder>();
  const accounts = new Map<string, Account>();
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const answer = (response: ServerResponse, value: unknown): void => {
    const octets = Buffer.from(JSON.stringify(value));
    const signature = sign("sha256", octets, { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64");
    response.writeHead(200, { "content-type": "application/json", "x-signature": signature }).end(octets);
  };
  const asked = serve(async (request, response) => {
    const order = /^\/work-orders\/([^/]{1,128})$/.exec(request.url ?? "")?.[1];
    if (request.method === "GET" && order !== undefined) {
      const known = orders.get(decodeURIComponent(order));
      if (known === undefined) response.writeHead(404).end();
      else answer(response, known);
    } else if (request.method === "POST" && request.url === "/accounts") {
      const { meters } = JSON.parse(await bodyOf(request)) as { readonly meters: readonly string[] };
      answer(response, { accounts: meters.map((meter) => accounts.get(meter) ?? { meter, inArrears: false }) });
    } else response.writeHead(404).end();
  });
  const office = serve(async (request, response) => {
    const [, kind, id = ""] = /^\/(work-orders|accounts)\/([^/]{1,128})$/.exec(request.url ?? "") ?? [];
    if (request.method !== "PUT" || kind === undefined) return void response.writeHead(404).end();
    const written = JSON.parse(await bodyOf(request)) as WorkOrder & Account;
    if (kind === "accounts") accounts.set(id, { ...written, meter: id });
    else orders.set(decodeURIComponent(id), { ...written, id: decodeURIComponent(id) });
    response.writeHead(204).end();
  });
  const socket = join(stateDirectory, "billing.sock");
  rmSync(socket, { force: true });
  asked.listen(0, "127.0.0.1");
  office.listen(socket);
  await Promise.all([once(asked, "listening"), once(office, "listening")]);
  const { port } = asked.address() as AddressInfo;
  const file = join(exchangeDirectory, "billing.json");
  const said = {
    address: `http://127.0.0.1:${port}`,
    publicKey: publicKey.export({ format: "pem", type: "spki" }).toString(),
  };
  writeFileSync(`${file}.new`, JSON.stringify(said));
  // The town's files are for itself alone; this one is for the head-end.
  chmodSync(`${file}.new`, 0o644);
  renameSync(`${file}.new`, file);
  return {
    close: async () => {
      for (const server of [asked, office]) {
        server.closeAllConnections();
        server.close();
      }
      await Promise.all([once(asked, "close"), once(office, "close")]);
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

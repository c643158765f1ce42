import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import type { Custody } from "@meterkeep/custody";
import { PAGE_CALLS, type PageCall, PageRefusal } from "./page-calls.ts";

/** Where the page of a custodian is, and whose passkeys it takes. */
export interface PagePlace {
  readonly id: "localhost";
  readonly origins: readonly string[];
}

/** The custodian's own page, listening. */
export interface PageServer {
  close(): Promise<void>;
}

const MOST_BODY_BYTES = 64 * 1024;
const LOOPBACK = ["127.0.0.1", "::1"] as const;
const FOLDER = new URL("../../page/", import.meta.url);

/** Nothing but our own files, shown in no frame, sent to nobody else. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
  "cache-control": "no-store",
} as const;

/** The one origin of a page on a port: a secure context, so that passkeys work without a certificate. */
export function pagePlace(port: number): PagePlace {
  return { id: "localhost", origins: [`http://localhost:${port}`] };
}

/**
 * Serves the custodian's own page on loopback. People see here what they approve as the custodian itself holds it; no head-end
 * is in between. It has no sign-in: it shows what is to be approved, and takes nothing that a person's own key has not signed.
 */
export async function servePage(
  custody: Pick<Custody, "service" | "authority" | "enrolment" | "onFailure">,
  place: PagePlace,
  port: number,
): Promise<PageServer> {
  const files = await pageFiles();
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response, { custody, place, files }).catch((error: unknown) => {
      custody.onFailure(error);
      if (!response.headersSent) send(response, 500, { code: "failed", message: "the custodian's own log says why" });
    });
  };
  const servers: Server[] = [];
  for (const host of LOOPBACK) {
    const server = createServer({ maxHeaderSize: 8192, requestTimeout: 30_000 }, answer);
    const isOpen = await listening(server, port, host);
    if (isOpen) servers.push(server);
  }
  return {
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}

interface Serving {
  readonly custody: Pick<Custody, "service" | "authority" | "enrolment">;
  readonly place: PagePlace;
  readonly files: ReadonlyMap<string, PageFile>;
}

async function handle(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const [origin] = serving.place.origins;
  // A name that somebody else's DNS points here is not ours.
  if (`http://${request.headers.host}` !== origin) {
    send(response, 421, { code: "other-host", message: `this page is at ${origin}` });
    return;
  }
  const { pathname } = new URL(request.url ?? "/", origin);
  const file = request.method === "GET" ? serving.files.get(pathname) : undefined;
  if (file !== undefined) {
    response.writeHead(200, { ...HEADERS, "content-type": file.type }).end(file.text);
    return;
  }
  const call: PageCall | undefined = Object.hasOwn(PAGE_CALLS, pathname) ? PAGE_CALLS[pathname] : undefined;
  // Only our own page posts JSON with our own origin.
  const isOurs = request.headers.origin === origin && request.headers["content-type"] === "application/json";
  if (call === undefined || request.method !== "POST" || !isOurs) {
    send(response, 404, { code: "not-found", message: "there is nothing here" });
    return;
  }
  const body = await bodyOf(request);
  if (body === undefined) {
    send(response, 413, { code: "too-long", message: "the request is too long, or no JSON" });
    return;
  }
  try {
    send(response, 200, await call(body, serving.custody));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !isRefusal(error)) throw error;
    send(response, 409, { code: String(error.code), message: error.message });
  }
}

function isRefusal(error: Error): boolean {
  return error instanceof PageRefusal || error.name === "CallRefusal";
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MOST_BODY_BYTES) return undefined;
    parts.push(part);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { ...HEADERS, "content-type": "application/json" }).end(JSON.stringify(value));
}

interface PageFile {
  readonly type: string;
  readonly text: string;
}

async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const read = (name: string): Promise<string> => readFile(new URL(name, FOLDER), "utf8");
  const script = stripTypeScriptTypes(await read("approvals.ts"));
  return new Map([
    ["/", { type: "text/html; charset=utf-8", text: await read("approvals.html") }],
    ["/approvals.css", { type: "text/css; charset=utf-8", text: await read("approvals.css") }],
    ["/approvals.js", { type: "text/javascript; charset=utf-8", text: script }],
  ]);
}

/** Listens, or says that this machine has no such loopback. */
function listening(server: Server, port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT" ? resolve(false) : reject(error),
    );
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port === port));
  });
}

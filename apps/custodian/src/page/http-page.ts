import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** What a page of the custodian answers with. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/** A page of the custodian, as it is served. */
export interface HttpPage {
  /** What goes with every answer. */
  readonly headers: OutgoingHttpHeaders;
  /** The one origin under which it is shown; a name that somebody else's DNS points here is not ours. */
  readonly origin: string;
  file(path: string): Promise<PageFile | undefined> | PageFile | undefined;
  /** Answers a call; undefined where there is none of that path. */
  call(path: string): ((asked: Readonly<Record<string, unknown>>) => Promise<unknown>) | undefined;
  /** Whether an error is a refusal that the page shows. */
  isRefusal(error: Error): boolean;
  onFailure(error: unknown): void;
}

/** A page, listening. */
export interface PageServer {
  close(): Promise<void>;
}

const MOST_BODY_BYTES = 64 * 1024;
const LOOPBACK = ["127.0.0.1", "::1"] as const;

/** Listens on loopback, of either kind that this machine has. */
export async function listenForPage(
  page: HttpPage,
  port: number,
  mostBodyBytes = MOST_BODY_BYTES,
): Promise<PageServer> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response, page, mostBodyBytes).catch((error: unknown) => {
      page.onFailure(error);
      if (!response.headersSent)
        send(response, page, 500, { code: "failed", message: "the custodian's own log says why" });
    });
  };
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  };
  try {
    for (const host of LOOPBACK) {
      const server = createServer({ maxHeaderSize: 8192, requestTimeout: 30_000 }, answer);
      if (await listening(server, port, host)) servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  page: HttpPage,
  mostBodyBytes: number,
): Promise<void> {
  const { origin } = page;
  if (request.headers.host !== new URL(origin).host) {
    send(response, page, 421, { code: "other-host", message: `this page is at ${origin}` });
    return;
  }
  const { pathname } = new URL(request.url ?? "/", origin);
  const file = request.method === "GET" ? await page.file(pathname) : undefined;
  if (file !== undefined) {
    response.writeHead(200, { ...page.headers, "content-type": file.type }).end(file.text);
    return;
  }
  const call = page.call(pathname);
  // Only our own page posts JSON with our own origin.
  const isOurs = request.headers.origin === origin && request.headers["content-type"] === "application/json";
  if (call === undefined || request.method !== "POST" || !isOurs) {
    send(response, page, 404, { code: "not-found", message: "there is nothing here" });
    return;
  }
  const body = await bodyOf(request, mostBodyBytes);
  if (body === undefined) {
    send(response, page, 413, { code: "too-long", message: "the request is too long, or no JSON" });
    return;
  }
  try {
    send(response, page, 200, await call(body));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !page.isRefusal(error)) throw error;
    send(response, page, 409, { code: String(error.code), message: error.message });
  }
}

async function bodyOf(request: IncomingMessage, most: number): Promise<Record<string, unknown> | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > most) return undefined;
    parts.push(part);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, { headers }: HttpPage, status: number, value: unknown): void {
  response.writeHead(status, { ...headers, "content-type": "application/json" }).end(JSON.stringify(value));
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

import type { IncomingMessage, ServerResponse } from "node:http";
import { fromHex, type SystemTitle, systemTitle, toHex } from "@meterkeep/dlms";
import type { PolicyKey, ShelfFiles } from "@meterkeep/headend";
import type { ExchangeFiles } from "../exchange-files.ts";
import type { WorkerSettings } from "../worker.ts";

/** What a worker is told of the head-end it works for. */
export interface DeskSettings
  extends Pick<
    WorkerSettings,
    | "database"
    | "utility"
    | "island"
    | "readEvery"
    | "collectDays"
    | "powerQuality"
    | "announces"
    | "pushHost"
    | "pushPort"
    | "pushDestinations"
  > {
  /** The policy service's public key: SPKI, lower-case hex. */
  readonly policyKey: string;
}

/** What workers on other machines ask for over HTTP, since they have none of the head-end's files. */
export interface Desk {
  readonly settings: DeskSettings;
  readonly policy: Pick<PolicyKey, "token">;
  readonly exchange: Pick<ExchangeFiles, "octets" | "stamp">;
  readonly shelf: ShelfFiles;
  now(): number;
}

/** Files of the exchange directory that workers read. */
export const DESK_FILES = ["addresses.json", "billing.json", "weather.json"] as const;

const MOST_BODY_OCTETS = 4_096;
const FIRMWARE = /^\/firmware\/((?:makers\/)?[\w.-]{1,128})$/;
const EXCHANGE = /^\/exchange\/([\w.-]{1,64})$/;

/**
 * Answers one request. A token is signed here, for one act on one meter and two minutes: the key stays, so that a worker
 * that is sent away signs nothing more.
 */
export async function serveDesk(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const answer = await answerOf(desk, request);
    if (answer === undefined) return end(response, 404, "text/plain", "there is no such thing here\n");
    const { octets, etag } = answer;
    if (etag !== undefined) response.setHeader("etag", `"${etag}"`);
    end(response, 200, "application/octet-stream", request.method === "HEAD" ? "" : octets);
  } catch {
    end(response, 400, "text/plain", "that cannot be answered\n");
  }
}

interface Answer {
  readonly octets: Uint8Array | string;
  readonly etag?: string;
}

async function answerOf(
  { settings, policy, exchange, shelf, now }: Desk,
  request: IncomingMessage,
): Promise<Answer | undefined> {
  const { method, url = "" } = request;
  if (method === "POST" && url === "/token") {
    const { manifest, meter, act } = tokenAsked(JSON.parse(await bodyOf(request)));
    return { octets: toHex(await policy.token(manifest, meter, act, now())) };
  }
  if (method !== "GET" && method !== "HEAD") return undefined;
  if (url === "/settings") return { octets: JSON.stringify(settings) };
  if (url === "/firmware") return { octets: JSON.stringify(await shelf.makers()) };
  const file = DESK_FILES.find((name) => name === EXCHANGE.exec(url)?.[1]);
  if (file !== undefined) {
    const etag = await exchange.stamp(file);
    const octets = await exchange.octets(file);
    return octets === undefined ? undefined : { octets, etag };
  }
  const [, firmware] = FIRMWARE.exec(url) ?? [];
  if (firmware === undefined || firmware.includes("..")) return undefined;
  const octets = await shelf.read(firmware).catch(() => undefined);
  return octets === undefined ? undefined : { octets };
}

function tokenAsked(body: unknown): { manifest: string; meter: SystemTitle; act: number } {
  const { manifest, meter, act } = body as Readonly<Record<string, unknown>>;
  if (typeof manifest !== "string" || !/^[0-9a-f]{96}$/.test(manifest)) throw new Error("no manifest");
  if (typeof act !== "number" || !Number.isInteger(act) || act < 0 || act > 65_535) throw new Error("no act");
  return { manifest, meter: systemTitle(fromHex(String(meter))), act };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BODY_OCTETS) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function end(response: ServerResponse, status: number, type: string, body: Uint8Array | string): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    "content-type": type,
    ...(body === "" ? {} : { "content-length": Buffer.byteLength(body) }),
  });
  response.end(body);
}

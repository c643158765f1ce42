import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Custody } from "@meterkeep/custody";
import { listenForPage, type PageFile, type PageServer } from "./http-page.ts";

/** Where the technicians' page is, and the folder that it was built into. */
export interface FieldPlace {
  readonly port: number;
  readonly directory: string;
  /** What browsers call it; `http://localhost:PORT` where nothing stands before it. */
  readonly origin: string | undefined;
}

const FILES = {
  "/": { name: "index.html", type: "text/html; charset=utf-8" },
  "/page.js": { name: "page.js", type: "text/javascript; charset=utf-8" },
  "/page.css": { name: "page.css", type: "text/css; charset=utf-8" },
  "/worker.js": { name: "worker.js", type: "text/javascript; charset=utf-8" },
  "/field.webmanifest": { name: "field.webmanifest", type: "application/manifest+json" },
  "/icon.svg": { name: "icon.svg", type: "image/svg+xml" },
} as const;
const BUILD_PLACE = "@@BUILD@@";
/** The journal of a whole day. */
const MOST_BODY_BYTES = 1_000_000;

/** Our own files, our own origin, and a bridge on the same device; scripts make no markup and name one script, the worker. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; worker-src 'self'; connect-src 'self' http://127.0.0.1:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types field",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self), serial=(self)",
  "cache-control": "no-store",
} as const;

/** The journal stands for itself: who carries it need not be anybody. */
const FIELD = { name: "field page", role: "operator" } as const;

/**
 * Serves the technicians' page, on an origin of its own: what holds keys of meters shares no storage and no passkeys with the
 * page that approves. It is the custodian that serves it, since whoever gives out this code could take what is lent to it.
 * The one call takes a journal, which a handheld has signed.
 */
export async function serveField(
  custody: Pick<Custody, "service" | "onFailure" | "sender">,
  { port, directory, origin = `http://localhost:${port}` }: FieldPlace,
): Promise<PageServer> {
  return listenForPage(
    {
      headers: HEADERS,
      origin,
      file: (path) => (path === "/custodian.json" ? whoServes(custody) : fileOf(directory, path)),
      call: (path) => (path === "/api/return" ? (asked) => handIn(custody, asked) : undefined),
      isRefusal: (error) => error.name === "CallRefusal",
      onFailure: custody.onFailure,
    },
    port,
    MOST_BODY_BYTES,
  );
}

/** Whose leases a handheld takes that is made here: what `meterkeep field lend` says as well. */
async function whoServes({ sender }: Pick<Custody, "sender">): Promise<PageFile> {
  const { keyId } = await sender();
  return { type: "application/json", text: JSON.stringify({ custodian: keyId }) };
}

async function handIn({ service }: Pick<Custody, "service">, asked: Readonly<Record<string, unknown>>) {
  const { journal } = asked;
  // What the custodian says of the field is not for whoever hands in a journal.
  await service.returnLease({ journal: typeof journal === "string" ? journal : "" }, FIELD);
  return {};
}

/** Read when it is asked for: the page is built while the custodian starts. */
async function fileOf(directory: string, path: string): Promise<PageFile | undefined> {
  if (path === "/build.json")
    return { type: "application/json", text: JSON.stringify({ build: await buildOf(directory) }) };
  if (!Object.hasOwn(FILES, path)) return undefined;
  const { name, type } = FILES[path as keyof typeof FILES];
  try {
    const text = await readFile(join(directory, name), "utf8");
    return { type, text: name === "worker.js" ? text.replace(BUILD_PLACE, await buildOf(directory)) : text };
  } catch {
    return undefined;
  }
}

/** The fingerprint of all files: another is another build, which the worker fetches whole. */
async function buildOf(directory: string): Promise<string> {
  const hash = createHash("sha256");
  for (const { name } of Object.values(FILES))
    hash.update(await readFile(join(directory, name)).catch(() => new Uint8Array(0)));
  return hash.digest("hex");
}

import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import type { Custody } from "@meterkeep/custody";
import { listenForPage, type PageFile, type PageServer } from "./http-page.ts";
import { PAGE_CALLS, PageRefusal } from "./page-calls.ts";

/** Where the page of a custodian is, and whose passkeys it takes. */
export interface PagePlace {
  readonly id: "localhost";
  readonly origins: readonly [string];
}

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
  custody: Pick<Custody, "service" | "authority" | "enrolment" | "disputedLeases" | "onFailure">,
  { origins: [origin] }: PagePlace,
  port: number,
): Promise<PageServer> {
  const files = await pageFiles();
  return listenForPage(
    {
      headers: HEADERS,
      origin,
      file: (path) => files.get(path),
      call: (path) => {
        const call = Object.hasOwn(PAGE_CALLS, path) ? PAGE_CALLS[path] : undefined;
        return call && ((asked) => call(asked, custody));
      },
      isRefusal: (error) => error instanceof PageRefusal || error.name === "CallRefusal",
      onFailure: custody.onFailure,
    },
    port,
  );
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

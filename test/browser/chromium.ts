/// <reference lib="dom" />
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, type TestContext } from "node:test";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Debian's Chromium; `npm test` installs it where it can. */
const EXECUTABLE = process.env["METERKEEP_CHROMIUM"] ?? "/usr/bin/chromium";

/** How long a page may take for anything: on a machine that does much else, far longer than a person would wait. */
const PATIENCE_MS = 240_000;

/** So much of a page's text is told when its test failed. */
const TOLD_CHARACTERS = 6_000;

/** No sandbox (tests run as root), and none of the browser's own errands: the machine's network is closed. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with one profile of its own, which keeps the login from page to page. */
export interface TestBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
  /** Opens a page that notes what goes wrong on it. */
  open(address: string): Promise<WatchedPage>;
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings of the page's own console, refused by its policy or thrown by its code; a lost server's are left out. */
  readonly complaints: readonly string[];
  /** Every request since the page was opened, method and address. */
  readonly requests: readonly { readonly method: string; readonly url: string; readonly body: string }[];
}

const opened = new Set<Page>();

// What a page said instead is what tells why a wait for it failed, and nobody can look at it any more.
afterEach(async (context) => {
  if ((context as TestContext).passed) return;
  for (const page of opened) {
    const text = await page.locator("body").innerText({ timeout: 5_000 }).catch(String);
    console.error(`${page.url()} says:\n${text.slice(0, TOLD_CHARACTERS)}`);
  }
});

export async function openBrowser(options: BrowserContextOptions = {}): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), "mk-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: FLAGS,
    viewport: { width: 1440, height: 900 },
    ...options,
  });
  return {
    context,
    open: (address) => openPage(context, address),
    [Symbol.asyncDispose]: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

async function openPage(context: BrowserContext, address: string): Promise<WatchedPage> {
  const page = await context.newPage();
  opened.add(page);
  page.once("close", () => opened.delete(page));
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  const requests: { method: string; url: string; body: string }[] = [];
  page.on("console", (message) => {
    const isNetwork = message.text().startsWith("Failed to load resource");
    if (!isNetwork && ["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) =>
    requests.push({ method: request.method(), url: request.url(), body: request.postData() ?? "" }),
  );
  await page.goto(address);
  return { page, complaints, requests };
}

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { CHECKOUT, type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";
import { plugIn } from "./keyboard.ts";

/** Enough homes that the depot's feeder has its two liars, numbers 7 and 13. */
const HOMES = 60;

let meterkeep: Meterkeep;
let stateDirectory: string;
let browser: TestBrowser;

before(async () => {
  stateDirectory = makeStateDirectory();
  meterkeep = await startMeterkeep({ meters: HOMES, stateDirectory });
  browser = await openBrowser({ locale: "en-GB" });
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
  rmSync(stateDirectory, { recursive: true, force: true });
});

const open = (path: string): Promise<WatchedPage> => browser.open(meterkeep.address + path);

/** How many meters stand at a station of the way from shipped to trusted. */
async function atStation(page: Page, name: string): Promise<number> {
  const text = await page
    .getByRole("region", { name: "From shipped to trusted" })
    .getByRole("button", { name })
    .innerText();
  return Number(text.split("\n")[0]?.replace(/\D/g, ""));
}

/** Waits until the page itself shows it; nothing is measured. */
async function eventually(what: string, holds: () => Promise<boolean>, withinMs = 240_000): Promise<void> {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail(`the page does not show it: ${what}`);
}

test("whoever has no login is shown the way to one, on every page", async () => {
  const { page } = await open("/ledger");
  await page.waitForURL(/\/sign-in/);
  await page.getByRole("heading", { name: "Open the link from your terminal" }).waitFor();
  assert.match(await page.getByText("meterkeep admin recover").innerText(), /npx meterkeep admin recover/);
  await page.close();
});

test("the link signs in once, and its token does not stay in the address bar", async () => {
  assert.ok(meterkeep.signIn !== undefined);
  const { page, complaints } = await browser.open(meterkeep.signIn);
  await page.getByRole("heading", { level: 1 }).filter({ hasText: "home" }).waitFor();
  assert.equal(new URL(page.url()).hash, "");
  await page.goBack().catch(() => undefined);
  assert.ok(!page.url().includes("#"), "the token is in the history");
  assert.deepEqual(complaints, []);
  await page.close();

  await using stranger = await openBrowser();
  const second = await stranger.open(meterkeep.signIn);
  await second.page.getByRole("alert").waitFor();
});

test("a passkey takes the place of the link", async () => {
  const { page, complaints } = await open("/account");
  await plugIn(page);
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByText(/^added .+, not used yet/).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in/);
  assert.equal((await page.request.get(`${meterkeep.address}/api/v1/overview`)).status(), 401);
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await page.getByRole("heading", { level: 1 }).filter({ hasText: "home" }).waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the town comes to trust before one's eyes, and the liars are quarantined", async () => {
  const { page, complaints } = await open("/");
  await eventually("trusted meters", async () => (await atStation(page, "Trusted")) >= HOMES / 4 - 2);
  await eventually("provisional meters", async () => (await atStation(page, "Provisional")) >= (HOMES * 3) / 4);
  // The custodian spaces its probes of a meter that lies, so that no meter locks it out.
  await eventually("the two liars", async () => (await atStation(page, "Quarantined")) === 2);
  await page.getByText("simulated, time runs 60x").waitFor();
  await page.getByRole("heading", { name: /homes are supplied/ }).waitFor();
  assert.equal(await page.locator("a.home.trusted, a.home.tone-trusted").first().isVisible(), true);
  await page.getByRole("region", { name: "Newest events" }).getByRole("listitem").first().waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a station singles out its meters", async () => {
  const { page } = await open("/");
  await page.getByRole("button", { name: /\d\s*Quarantined/ }).click();
  assert.equal(await page.title(), "Town · Meterkeep");
  const quarantined = await atStation(page, "Quarantined");
  await eventually("their rows", async () => (await page.locator(".meter-table tbody tr").count()) === quarantined);
  assert.equal(await page.locator("a.home:not(.dimmed):not(.witness)").count(), quarantined);
  await page.close();
});

test("a meter is reached and read by keyboard alone", async () => {
  const { page } = await open("/");
  await page.locator("a.home").first().waitFor();
  await page.keyboard.press("Tab");
  assert.match(await focused(page), /Skip to the page/);
  await page.locator('a.home[tabindex="0"]').focus();
  await page.keyboard.press("PageDown");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("ArrowRight");
  const name = (await page.evaluate(() => document.activeElement?.getAttribute("aria-label")))?.split(",")[0] ?? "";
  assert.notEqual(name, "");
  assert.match(await page.locator(".readout").innerText(), new RegExp(name));
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/meters\/[0-9A-F]{16}/);
  await page.getByRole("heading", { level: 1, name }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  await page.close();
});

test("keys lead from page to page, and ? lists them", async () => {
  const { page } = await open("/");
  await page.locator("a.home").first().waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  await page.getByRole("heading", { level: 1, name: "Ledger" }).waitFor();
  await page.keyboard.press("/");
  await eventually(
    "the search has the focus",
    async () => (await page.evaluate(() => document.activeElement?.id)) === "find",
  );
  await page.close();
});

test("a meter's page says who it is, why it is trusted, its keys without octets, and how it was taken over", async () => {
  const { page } = await openMeter("Trusted");
  await page.getByText("never leave the custodian").waitFor();
  for (const purpose of ["GUEK", "GAK", "GBEK", "KEK"])
    assert.ok((await page.getByRole("cell", { name: new RegExp(`^${purpose}`) }).count()) > 0, purpose);
  assert.doesNotMatch(await page.locator("body").innerText(), /\b[0-9A-F]{32}\b/);
  await page.getByText("Prove that the factory keys are dead").waitFor();
  assert.ok((await page.locator(".history li").count()) >= 2);
  await page.close();
});

test("the last session stands step by step, its octets on demand", async () => {
  const { page, complaints } = await openMeter("Trusted");
  const rung = page.locator(".rung-line").first();
  await rung.waitFor();
  assert.ok((await page.locator(".rung.to-meter").count()) > 2 && (await page.locator(".rung.from-meter").count()) > 2);
  await rung.click();
  await page.getByRole("tab", { name: "On the wire" }).first().click();
  assert.match(
    await page.getByRole("region", { name: "Octets on the wire" }).innerText(),
    /0000\s+[0-9A-F]{2} [0-9A-F]{2}/,
  );
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a number opens its evidence: octets, protection, trust then and now", async () => {
  const { page } = await openMeter("Trusted");
  await page.locator("section[aria-labelledby=registers-title] a.evidence-link").first().click();
  const evidence = page.getByRole("dialog", { name: "Evidence" });
  await evidence.getByText("authenticated").waitFor();
  await evidence.getByText("Trust then").waitFor();
  await evidence.getByRole("tab", { name: "On the wire" }).click();
  assert.match(page.url(), /evidence=[0-9a-f]{64}/);
  await page.keyboard.press("Escape");
  await evidence.waitFor({ state: "hidden" });
  await page.close();
});

test("the break-in gets nothing: as many asked as there are homes and a key, 0 sealed, 0 homes dark", async () => {
  const { page, complaints } = await open("/");
  await page.getByRole("link", { name: "Break in" }).first().click();
  await page.getByRole("button", { name: /Break in/ }).click();
  const result = page.getByRole("region", { name: "Result" });
  await page.getByText(/The town stayed lit\.|No home is dark/).waitFor();
  const words = (await result.innerText()).replace(/\s+/g, " ");
  assert.match(words, new RegExp(`${HOMES + 1} ?asked`));
  assert.match(words, /\b0 ?sealed/);
  assert.match(words, /\b0 ?homes dark/);
  // A liar that keeps its factory keys opens no session to anybody else, so it cannot be read back.
  assert.match(words, new RegExp(`(${HOMES}|${HOMES - 1}) of ${HOMES} read back`));
  await page.getByRole("toolbar", { name: "Every ask" }).getByRole("button").nth(3).click();
  await page.getByText("command-token-missing").waitFor();
  assert.match(await page.getByRole("region", { name: "Decoded" }).innerText(), /action-request/);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a telegram is decoded in the browser and nothing is sent", async () => {
  const { page, requests, complaints } = await open("/decode");
  await page.getByText("Encrypted and authenticated: the tag holds.").waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  const sentBefore = requests.length;
  await page.getByRole("button", { name: "Its forgery", exact: false }).click();
  await page.getByText("clock-disagreement").waitFor();
  await page.getByRole("button", { name: /Both, one after the other/ }).click();
  await page.getByText("counter-reused").waitFor();
  await page.getByLabel("Octets in hex, or a P1 telegram as text").fill(example("tagless.hex"));
  await page.getByText("Confidential only, not authenticated", { exact: false }).waitFor();
  await page.getByLabel("Encryption key (GUEK)", { exact: true }).fill("00".repeat(16));
  await page.getByText("key-does-not-fit").waitFor();
  // The page's own head may ask anew what the town looks like: by a bare address, which has no room for octets.
  const isBare = ({ method, url, body }: (typeof requests)[number]): boolean =>
    method === "GET" &&
    body === "" &&
    /^\/api\/v1\/(overview|config\/public)$/.test(new URL(url).pathname + new URL(url).search);
  assert.deepEqual(
    requests.slice(sentBefore).filter((request) => !isBare(request)),
    [],
  );
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a meter is kept with its keys sealed: nothing that leaves the browser holds them", async () => {
  const keys = JSON.parse(example("keys.json")) as { meters: Record<string, { key: string; authKey: string }> };
  const [systemTitle, { key, authKey }] = Object.entries(keys.meters)[0]!;
  const { page, requests } = await open("/decode");
  await page.getByLabel("What you call it").fill("The meter in the cellar");
  await page.getByRole("button", { name: "Seal its keys and keep it" }).click();
  await page.getByRole("heading", { name: "Kept" }).waitFor();
  const posted = requests.filter(({ method }) => method === "POST");
  assert.deepEqual(
    posted.map(({ url }) => new URL(url).pathname),
    ["/api/v1/meters"],
  );
  for (const secret of [key, authKey])
    for (const encoding of ["hex", "base64", "base64url"] as const)
      for (const { body, url } of requests)
        assert.ok(!(body + url).toLowerCase().includes(Buffer.from(secret, "hex").toString(encoding).toLowerCase()));
  await page.getByRole("link", { name: "The meter in the cellar" }).click();
  await page.waitForURL(new RegExp(systemTitle));
  await page.getByText("real", { exact: true }).waitFor();
  await page.close();
});

test("the ledger's leaves are computed again in the browser and fit, and an entry leads to the signed root", async () => {
  const { page, complaints } = await open("/ledger");
  await page.getByText("all fit").waitFor();
  await page.getByText("What the witnesses have seen is in this ledger").waitFor();
  await page.locator(".ledger-entry .text-button").last().click();
  await page.getByText(/It leads to the signed root of/).waitFor();
  await page.getByRole("button", { name: "Head-end" }).click();
  await page.getByText("all fit").waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a lost stream says as of when, nothing stays green, and the page goes on when it is back", async () => {
  const { page } = await open("/");
  await page.getByText("live", { exact: true }).waitFor();
  const green = await colourOf(page, "a.home.tone-trusted");
  await meterkeep.stop();
  await page
    .getByRole("alert")
    .filter({ hasText: /As of \d\d:\d\d/ })
    .waitFor();
  assert.equal(await page.getByText("live", { exact: true }).count(), 0);
  await page.getByRole("heading", { level: 1, name: /^As of \d\d:\d\d/ }).waitFor();
  assert.notEqual(await colourOf(page, "a.home.tone-trusted"), green);
  assert.equal(await colourOf(page, "a.home.tone-trusted"), await colourOf(page, "a.home.tone-provisional"));

  meterkeep = await startMeterkeep({ stateDirectory, ports: meterkeep.ports });
  await page.getByText("live", { exact: true }).waitFor();
  assert.equal(await page.getByRole("alert").count(), 0);
  assert.equal(await colourOf(page, "a.home.tone-trusted"), green);
  await page.close();
});

// The last: from here on nobody is signed in.
test("a page whose login ends while it is open turns to the sign-in by itself, and knows where it was", async () => {
  const { page } = await open("/drill");
  await page.getByText("live", { exact: true }).waitFor();
  const { status, stderr } = await meterkeep.command(["admin", "recover", "--yes"]);
  assert.equal(status, 0, stderr);
  await page.waitForURL(/\/sign-in\?next=%2Fdrill/);
  await page.getByRole("heading", { name: "Open the link from your terminal" }).waitFor();
  await page.close();
});

/** Opens the first meter at a station, by the list. */
async function openMeter(station: string): Promise<WatchedPage> {
  const opened = await open("/");
  await opened.page.getByRole("button", { name: new RegExp(`\\d\\s*${station}`) }).click();
  await opened.page.locator(".meter-table tbody th a").first().click();
  await opened.page.waitForURL(/\/meters\//);
  return opened;
}

function focused(page: Page): Promise<string> {
  return page.evaluate(() => document.activeElement?.textContent ?? "");
}

function colourOf(page: Page, selector: string): Promise<string> {
  return page
    .locator(selector)
    .first()
    .evaluate((element) => getComputedStyle(element).color);
}

function example(name: string): string {
  return readFileSync(`${CHECKOUT}/examples/${name}`, "utf8");
}

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser } from "./chromium.ts";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SCHEMES = ["light", "dark"] as const;
const WIDTHS = [320, 1440] as const;

let meterkeep: Meterkeep;
let browser: TestBrowser;
let paths: readonly string[];

before(async () => {
  meterkeep = await startMeterkeep({ meters: 20 });
  browser = await openBrowser({ reducedMotion: "reduce" });
  const { page } = await browser.open(meterkeep.signIn ?? "");
  await page.locator(".meter-table tbody tr").first().waitFor();
  paths = await everyPath(page);
  await page.close();
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
});

/** Every page of the console, with a meter that was read, its session, its evidence and a drill. */
async function everyPath(page: Page): Promise<readonly string[]> {
  await page.getByRole("button", { name: /\d\s*Trusted/ }).click();
  await page.locator(".meter-table a.evidence-link").first().waitFor({ timeout: 60_000 });
  await page.locator(".meter-table tbody th a").first().click();
  await page.waitForURL(/\/meters\//);
  const meter = new URL(page.url()).pathname;
  const session = await page.locator(".session-head a").getAttribute("href");
  const number = page.locator("section[aria-labelledby=registers-title] a.evidence-link").first();
  const evidence = new URL((await number.getAttribute("href")) ?? "", page.url());
  await page.goto(`${meterkeep.address}/drill`);
  await page.getByRole("button", { name: /Break in/ }).click();
  await page.getByText(/The town stayed lit\.|No home is dark/).waitFor({ timeout: 120_000 });
  const drill = new URL(page.url()).pathname;
  return [
    "/",
    meter,
    session ?? "/sessions",
    evidence.pathname + evidence.search,
    "/drill",
    drill,
    "/decode",
    "/ledger",
    "/account",
    "/sign-in",
  ];
}

for (const scheme of SCHEMES)
  for (const width of WIDTHS)
    test(`every page is free of violations of WCAG 2.2 AA, ${scheme}, ${width} pixels wide`, async () => {
      for (const path of paths) {
        const { page, complaints } = await browser.open("about:blank");
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        await page.setViewportSize({ width, height: 900 });
        await page.goto(meterkeep.address + path);
        await page.getByRole("heading", { level: 1 }).first().waitFor({ state: "attached" });
        await page.waitForLoadState("load");
        const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n  ")}`);
        assert.deepEqual(found, [], `${path}, ${scheme}, ${width}`);
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.equal(overflow, 0, `${path} scrolls sideways at ${width} pixels`);
        assert.deepEqual(complaints, [], `${path} complains`);
        await page.close();
      }
    });

test("dark mode follows the system, can be chosen, and the choice lasts", async () => {
  const { page } = await browser.open(meterkeep.address);
  await page.emulateMedia({ colorScheme: "light" });
  await page.reload();
  const scheme = () => page.evaluate(() => document.documentElement.dataset["mantineColorScheme"]);
  assert.equal(await scheme(), "light");
  await page.getByRole("button", { name: "Switch to dark mode" }).click();
  assert.equal(await scheme(), "dark");
  await page.reload();
  await page.getByRole("button", { name: "Switch to light mode" }).waitFor();
  assert.equal(await scheme(), "dark");
  await page.getByRole("button", { name: "Switch to light mode" }).click();
  await page.evaluate(() => localStorage.clear());
  await page.close();
});

test("who wants no motion gets none", async () => {
  const { page } = await browser.open(meterkeep.address);
  await page.locator("a.home").first().waitFor();
  const running = await page.evaluate(
    () => document.getAnimations().filter(({ playState }) => playState === "running").length,
  );
  assert.equal(running, 0);
  await page.close();
});

test("nothing is asked of any other origin, and nothing is asked again by a timer", async () => {
  const { page, requests } = await browser.open(meterkeep.address);
  await page.locator("a.home").first().waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  assert.deepEqual(
    requests.filter(({ url }) => !url.startsWith(meterkeep.address)),
    [],
  );
  const overviews = requests.filter(({ url }) => url.endsWith("/overview")).length;
  assert.equal(overviews, 1);
  await page.close();
});

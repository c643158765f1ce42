import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import type { Overview, RecentEventList } from "@meterkeep/api";
import type { Page } from "playwright-core";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser } from "./chromium.ts";
import { sideways } from "./keyboard.ts";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** Each scheme and each width once: colours do not depend on the width, nor the layout on the colours. */
const LOOKS = [
  ["light", 320],
  ["dark", 1440],
] as const;

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
  await page.locator(".meter-table a.evidence-link").first().waitFor();
  await page.locator(".meter-table tbody th a").first().click();
  await page.waitForURL(/\/meters\//);
  const meter = new URL(page.url()).pathname;
  const session = await page.locator(".session-head a").getAttribute("href");
  const number = page.locator("section[aria-labelledby=registers-title] a.evidence-link").first();
  const evidence = new URL((await number.getAttribute("href")) ?? "", page.url());
  await page.goto(`${meterkeep.address}/drill`);
  await page.getByRole("button", { name: /Break in/ }).click();
  await page.getByText(/The town stayed lit\.|No home is dark/).waitFor();
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
    "/certificates",
    "/field",
    "/sla",
    "/work",
    "/approvals",
    "/rules",
    "/blast",
    "/people",
    "/account",
    "/sign-in",
  ];
}

/** What axe names, with the elements that it names. */
const named = (violations: Awaited<ReturnType<AxeBuilder["analyze"]>>["violations"]): readonly string[] =>
  violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n  ")}`);

for (const [scheme, width] of LOOKS)
  test(`every page is free of violations of WCAG 2.2 AA, ${scheme}, ${width} pixels wide`, async () => {
    for (const path of paths) {
      const { page, complaints } = await browser.open("about:blank");
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      await page.goto(meterkeep.address + path);
      await page.getByRole("heading", { level: 1 }).first().waitFor({ state: "attached" });
      await page.waitForLoadState("load");
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      assert.deepEqual(named(violations), [], `${path}, ${scheme}, ${width}`);
      assert.equal(await sideways(page), 0, `${path} scrolls sideways at ${width} pixels`);
      assert.deepEqual(complaints, [], `${path} complains`);
      await page.close();
    }
  });

test("a page that has not heard anything yet, or hears nothing any more, does not scroll sideways either at 320 pixels", async () => {
  for (const [word, end] of [
    ["connecting", undefined],
    ["as of", "connectionrefused"],
  ] as const) {
    const { page } = await browser.open("about:blank");
    await page.setViewportSize({ width: 320, height: 900 });
    await page.route("**/api/v1/events**", (route) =>
      end === undefined ? new Promise(() => undefined) : route.abort(end),
    );
    await page.goto(meterkeep.address);
    await page.locator(".live-badge", { hasText: word }).waitFor();
    await page.locator(".town-clock").waitFor();
    assert.equal(await sideways(page), 0, word);
    await page.close();
  }
});

/** As many homes as a large town has, around the few that are real: the overview that the server gave, with more of the same. */
const CROWD = 5_000;

async function openLargeTown(): Promise<Page> {
  const { page } = await browser.open("about:blank");
  await page.route("**/api/v1/overview", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: crowded((await response.json()) as Overview) });
  });
  await page.goto(meterkeep.address);
  await page.locator(".crowds").first().waitFor({ state: "attached" });
  return page;
}

function crowded(overview: Overview): Overview {
  const { grid } = overview;
  const example = overview.meters.find(({ role }) => role === "home");
  if (grid === undefined || example === undefined) return overview;
  const added: Overview["meters"] = [];
  const feeders = grid.feeders.map((feeder, lane) => {
    const homes = Array.from({ length: CROWD / grid.feeders.length }, (_, place) => {
      const systemTitle = `4D4B57${(lane * CROWD + place).toString(16).padStart(10, "0").toUpperCase()}`;
      added.push({ ...example, systemTitle, label: `Lane ${lane} home ${place}`, feeder: feeder.id });
      return systemTitle;
    });
    return { ...feeder, homes: [...feeder.homes, ...homes] };
  });
  return { ...overview, grid: { ...grid, feeders }, meters: [...overview.meters, ...added] };
}

test("links below an event of few words are large enough to be hit, or far enough from the next", async () => {
  const { page } = await browser.open("about:blank");
  await page.route("**/api/v1/events/recent**", async (route) => {
    const response = await route.fetch();
    const { events } = (await response.json()) as RecentEventList;
    const example = events.find(({ meter }) => meter !== undefined);
    assert.ok(example !== undefined);
    const short = { ...example, session: "1", evidence: "0".repeat(64), sentence: "Short." };
    const json: RecentEventList = {
      events: [1, 2, 3].map((n) => ({ ...short, id: `short-${n}`, type: `t${n}` as never })),
    };
    await route.fulfill({ response, json });
  });
  await page.goto(meterkeep.address);
  await page.locator(".event-more", { hasText: "step by step" }).nth(2).waitFor();
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  assert.deepEqual(named(violations), []);
  await page.close();
});

test("a town of five thousand homes has few elements, is walked by keys and by pointer, and is free of violations", async () => {
  const page = await openLargeTown();
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(elements < 3_000, `${elements} elements`);

  await page.locator('a.home[tabindex="0"]').focus();
  await page.keyboard.press("ArrowRight");
  for (let step = 0; step < 30; step += 1) await page.keyboard.press("ArrowRight");
  const walkedTo = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.match(walkedTo ?? "", /^Lane 0 home \d+, /);
  assert.match(await page.locator(".readout").innerText(), /Lane 0 home \d+/);

  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  assert.deepEqual(named(violations), []);

  const picture = page.locator("svg.lane-picture").nth(1);
  const box = await picture.boundingBox();
  assert.ok(box !== null);
  await picture.click({ position: { x: box.width / 2, y: box.height / 2 } });
  await page.waitForURL(/\/meters\/4D4B57/);
  await page.close();
});

test("a fleet that is too large for a picture is its feeders and pages of meters, used by keyboard and free of violations", async () => {
  const { page, complaints } = await browser.open("about:blank");
  await page.route("**/api/v1/overview", async (route) => {
    const response = await route.fetch();
    const { grid, ...overview } = (await response.json()) as Overview;
    const feeders = grid?.feeders.map(({ id, name, homes: { length: homes } }) => {
      return { id, name, homes, connected: homes, disconnected: 0, stale: 0, quarantined: 0 };
    });
    await route.fulfill({ response, json: { ...overview, meters: [], feeders } });
  });
  await page.goto(meterkeep.address);
  const rows = page.locator("section[aria-labelledby=list-title] tbody tr");
  await rows.first().waitFor();
  const all = await rows.count();
  const first = page.locator("section[aria-labelledby=feeders-title] tbody tr").first();
  const [name, homes] = [await first.locator("th").innerText(), Number(await first.locator("td").first().innerText())];
  await tabTo(page, new RegExp(`^${name}$`));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: `Meters on ${name}` }).waitFor();
  // While they are fetched there are none.
  await page.waitForFunction((count) => {
    const { length } = document.querySelectorAll("section[aria-labelledby=list-title] tbody tr");
    return length > 0 && length < count;
  }, all);
  // The meter of its transformer stands on it as well.
  assert.ok((await rows.count()) - homes <= 1, `${await rows.count()} lines of ${homes} homes`);
  await tabTo(page, /^Find a meter/);
  await page.keyboard.type("nobody is called so");
  await page.keyboard.press("Enter");
  await page.getByText("No meter is like that.").waitFor();
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  assert.deepEqual(named(violations), []);
  assert.deepEqual(complaints, []);
  await page.close();
});

/** Goes on with Tab until something of that name has the focus. */
async function tabTo(of: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 80; presses += 1) {
    await of.keyboard.press("Tab");
    const focused = await of.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      const label = element instanceof HTMLInputElement ? element.labels?.[0] : element;
      return element === null || element === document.body ? "" : (label?.textContent ?? "");
    });
    if (name.test(focused)) return;
  }
  assert.fail(`no ${name} is reached by the keyboard`);
}

test("certificates are found, and what revoking an authority would do is asked, by keyboard alone", async () => {
  const { page, complaints } = await browser.open(`${meterkeep.address}/certificates`);
  await page
    .getByRole("button", { name: /What if it were revoked/ })
    .first()
    .waitFor();
  await tabTo(page, /What if it were revoked\?.*scheme/);
  await page.keyboard.press("Enter");
  await page.getByText("Nothing has been changed. To plan it:").waitFor();
  await tabTo(page, /Meter, serial number, key or subject/);
  const rows = page.locator("section[aria-labelledby=search-title] tbody tr");
  await page.keyboard.type("CN=Meterkeep development scheme");
  await page.keyboard.press("Enter");
  await page.waitForFunction(
    () => document.querySelectorAll("section[aria-labelledby=search-title] tbody tr").length === 1,
  );
  const serial = await rows.locator("code").innerText();
  for (const asked of [serial, "CN=nobody"]) {
    await page.keyboard.press("Control+A");
    await page.keyboard.type(asked);
    await page.keyboard.press("Enter");
    if (asked === serial) await rows.getByText(serial).waitFor();
    else await page.getByText("No certificate is like that.").waitFor();
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

test("nothing moves under the eyes while the town comes in", async () => {
  const { page } = await browser.open("about:blank");
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifts.push((entry as PerformanceEntry & { value: number }).value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(meterkeep.address);
  await page.locator("a.home").first().waitFor();
  await page.locator(".town-chart canvas").waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  const moved = await page.evaluate(() => (globalThis as unknown as { shifts: number[] }).shifts);
  assert.ok(
    moved.reduce((sum, value) => sum + value, 0) < 0.1,
    `moved by ${moved.join(", ")}; 0.1 is the limit of what counts as good`,
  );
  await page.close();
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

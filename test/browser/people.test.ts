import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";

/** A device that says yes by itself, and that one person has. */
const AUTHENTICATOR = {
  protocol: "ctap2",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PHONE = { width: 360, height: 780 };

let meterkeep: Meterkeep;
/** Two people at two machines: one at a desk, one with a phone. */
let desk: TestBrowser;
let phone: TestBrowser;
let anna: WatchedPage;
let ben: WatchedPage;

before(async () => {
  meterkeep = await startMeterkeep({ meters: 4 });
  desk = await openBrowser({ locale: "en-GB" });
  phone = await openBrowser({ locale: "en-GB", viewport: PHONE });
});
after(async () => {
  await desk?.[Symbol.asyncDispose]();
  await phone?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
});

/** Goes on with Tab until something of that name has the focus. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      const isWhole = element === null || element === document.body || element.id === "main";
      return isWhole
        ? ""
        : (element.getAttribute("aria-label") ?? element.closest("label")?.textContent ?? element.textContent ?? "");
    });
    if (name.test(focused.trim())) return;
  }
  assert.fail(`no ${name} is reached by the keyboard`);
}

async function press(page: Page, name: RegExp, key = "Enter"): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press(key);
}

/** Signs in by a link, with a device of one's own and a passkey made on it. */
async function arrive(browser: TestBrowser, link: string): Promise<WatchedPage> {
  const watched = await browser.open("about:blank");
  const { page } = watched;
  const devtools = await browser.context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options: AUTHENTICATOR });
  await page.goto(link);
  await page.getByRole("heading", { level: 1 }).filter({ hasText: "home" }).waitFor();
  await page.goto(`${meterkeep.address}/account`);
  await page.getByRole("button", { name: "Add a passkey" }).waitFor();
  await press(page, /^Add a passkey/);
  await page.getByText("not used yet").waitFor();
  await page.goto(`${meterkeep.address}/people`);
  await page.getByRole("row", { name: / you / }).waitFor();
  return watched;
}

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  assert.deepEqual(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n  ")}`),
    [],
  );
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.equal(overflow, 0, "the page scrolls sideways");
}

test("the first person shows a passkey and admits another by keyboard, in roles that go together", async () => {
  anna = await arrive(desk, meterkeep.signIn ?? "");
  const { page } = anna;
  await page.getByRole("heading", { name: "Admit somebody" }).waitFor();
  await tabTo(page, /^Name, for good/);
  await page.keyboard.type("Ben");
  const admit = page.locator("section", { has: page.getByRole("heading", { name: "Admit somebody" }) });
  assert.equal(await admit.getByLabel("approver").isDisabled(), true, "who asks does not approve");
  await press(page, /^operator$/, "Space");
  await press(page, /^approver$/, "Space");
  assert.equal(await admit.getByLabel("operator").isDisabled(), true);
  await press(page, /^Admit$/);
  await page.getByText(/Ben signs in with this link, once/).waitFor();
  await page.getByRole("row", { name: /Ben.*approver/ }).waitFor();
  await accessible(page);
});

test("who was admitted comes by the link, sees who there is on a phone, and can admit nobody", async () => {
  const link = await anna.page.locator(".once-link code").innerText();
  ben = await arrive(phone, link);
  const { page } = ben;
  await page.getByRole("row", { name: /Ben you approver/ }).waitFor();
  assert.equal(await page.getByRole("heading", { name: "Admit somebody" }).count(), 0);
  assert.equal(await page.getByRole("button", { name: /Let go/ }).count(), 0);
  const refused = await page.evaluate(async () => {
    const body = JSON.stringify({ name: "Mallory", roles: ["administrator"] });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    return (await fetch("/api/v1/people", init)).status;
  });
  assert.equal(refused, 403);
  await accessible(page);
});

test("who is let go is out at once, and the ledger names who did it", async () => {
  const { page } = anna;
  await page.reload();
  await page.getByRole("row", { name: /Ben/ }).waitFor();
  await press(page, /^Let go of Ben/);
  await press(page, /^End everything of Ben/);
  await page.getByRole("region", { name: "Have left" }).getByText("Ben").waitFor();
  await ben.page.reload();
  await ben.page.waitForURL(/\/sign-in/);
  await page.goto(`${meterkeep.address}/ledger`);
  await page.getByRole("button", { name: "Head-end" }).click();
  await page
    .getByText(/person-dismissed|person dismissed|let a person go/)
    .first()
    .waitFor();
  assert.deepEqual([...anna.complaints, ...ben.complaints], []);
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";
import { accessible, arrive, press, tabTo } from "./keyboard.ts";

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

/** Comes by a link, with a device of one's own, and looks at who there is. */
async function comeIn(browser: TestBrowser, link: string): Promise<WatchedPage> {
  const watched = await browser.open("about:blank");
  await arrive(watched.page, link);
  await watched.page.goto(`${meterkeep.address}/people`);
  await watched.page.getByRole("row", { name: / you / }).waitFor();
  return watched;
}

test("the first person shows a passkey and admits another by keyboard, in roles that go together", async () => {
  anna = await comeIn(desk, meterkeep.signIn ?? "");
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
  ben = await comeIn(phone, link);
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
  // His page may be on its way out already, which breaks off the reload.
  await ben.page.reload().catch(() => undefined);
  await ben.page.waitForURL(/\/sign-in/);
  await page.goto(`${meterkeep.address}/ledger`);
  await page.getByRole("button", { name: "Head-end" }).click();
  await page
    .getByText(/person-dismissed|person dismissed|let a person go/)
    .first()
    .waitFor();
  assert.deepEqual([...anna.complaints, ...ben.complaints], []);
});

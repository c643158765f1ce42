import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthorityWorld, OPERATOR, withTestCustody } from "@meterkeep/custody/testing";
import { freePort } from "@meterkeep/postgres/testing";
import type { Page } from "playwright-core";
import { pagePlace, servePage } from "../../apps/custodian/src/page/page-server.ts";
import { openBrowser } from "./chromium.ts";
import { plugIn, tabTo } from "./keyboard.ts";

/** Makes the passkey that an address invites to, with a device of its own. */
async function register(page: Page, address: string, invited: string): Promise<void> {
  await plugIn(page);
  await page.goto(address);
  await page.locator("#invitation-text").filter({ hasText: invited }).waitFor();
  await tabTo(page, /Make a passkey/);
  await page.keyboard.press("Enter");
  await noticed(page, /Two approvers must agree/);
}

async function noticed(page: Page, text: RegExp): Promise<void> {
  await page.locator("#notice").filter({ hasText: text }).waitFor();
}

test("somebody who approves says on the custodian's page that another's key is lost; its person makes one there, and two others agree to it", async () => {
  const port = await freePort();
  const place = pagePlace(port);
  const body: Parameters<typeof withTestCustody>[0] = async (test) => {
    const { custody } = test;
    // A page is in the time of its browser.
    Object.defineProperty(test, "now", { get: () => Date.now() });
    const world = await AuthorityWorld.open(test);
    await using page = new AsyncDisposableStack();
    const server = await servePage({ ...custody, onFailure: assert.ifError }, place, port);
    page.defer(() => server.close());
    const browser = page.use(await openBrowser({ locale: "en-GB" }));
    const planned = async (kind: string): Promise<string> => {
      const { changes } = await world.service.changes({ limit: 10 }, OPERATOR);
      const hash = changes.find((change) => change.kind === kind && change.state === "planned")?.hash;
      assert.ok(hash !== undefined);
      return hash;
    };
    const code = custody.enrolment.invite({ id: "clara", name: "Clara", roles: ["audit"] }, OPERATOR);
    const { page: hers } = await browser.open("about:blank");
    await register(hers, `${place.origins[0]}/#invitation=${code}`, "Clara, with the roles audit");
    const enrolment = await planned("enrol-approver");
    for (const who of [world.anna, world.ben]) await world.approve(enrolment, who);
    await hers.locator("#approver option").filter({ hasText: "Clara" }).waitFor({ state: "attached" });

    await hers.getByLabel("Sign as").selectOption("clara");
    await hers.getByLabel("Whose key").selectOption("ben");
    await tabTo(hers, /Suspend it, and make another/);
    await hers.keyboard.press("Enter");
    await noticed(hers, /The key is suspended/);
    const { page: his } = await browser.open("about:blank");
    await register(his, hers.url(), "in the place of the key ben, which is lost");
    const replacement = await planned("replace-approver");
    await assert.rejects(world.approve(replacement, world.ben), { code: "approval-refused" });
    await world.approve(replacement, world.anna);
    await hers.locator(`#sign-${replacement}`).click();
    await noticed(hers, /Approved, and done/);
    const { approvers } = await world.service.authorityState({}, OPERATOR);
    assert.deepEqual(approvers.map(({ id, key }) => `${id} ${key}`).sort(), [
      "anna signature",
      "ben-2 passkey",
      "clara passkey",
    ]);
  };
  await withTestCustody(body, undefined, { page: place });
});

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import type { CampaignView } from "@meterkeep/api";
import type { Page } from "playwright-core";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { approve, enrolKeyHolder, type KeyHolder, planPolicyService, said } from "../src/authority.ts";
import { workOrder } from "../src/billing-office.ts";
import { readyHomes } from "../src/ready-homes.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";
import { accessible, arrive, type Device, plugIn, press, tabTo, type } from "./keyboard.ts";

/** Meters are taken over, read and switched meanwhile, on a machine that may be busy. */
const PATIENCE_MS = 300_000;

let meterkeep: Meterkeep;
let api: ApiClient;
let stateDirectory: string;
/** Rita asks; Ben approves. Each has a machine and a device. */
let rita: TestBrowser;
let ben: TestBrowser;
let asks: WatchedPage;
let approves: WatchedPage;
let bensDevice: Device;
/** Signs with a key file, at the custodian alone. */
let anna: KeyHolder;
/** Where the campaign of twelve is watched. */
let holidays: string;
const opened: WatchedPage[] = [];

before(async () => {
  stateDirectory = makeStateDirectory();
  meterkeep = await startMeterkeep({ meters: 20, stateDirectory });
  api = await ownerClient(meterkeep, "read", "who watches");
  rita = await openBrowser({ locale: "en-GB" });
  ben = await openBrowser({ locale: "en-GB" });
  for (const { context } of [rita, ben]) context.setDefaultTimeout(PATIENCE_MS);
});
after(async () => {
  await rita?.[Symbol.asyncDispose]();
  await ben?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
  rmSync(stateDirectory, { recursive: true, force: true });
});

async function open(browser: TestBrowser): Promise<WatchedPage> {
  const watched = await browser.open("about:blank");
  opened.push(watched);
  return watched;
}

/** Fills in the form by keyboard, from the page's beginning, and tries it dry. */
async function tryDry(
  page: Page,
  asked: { readonly what?: string; readonly titles: string; readonly why: string; readonly order?: string },
): Promise<void> {
  await page.goto(`${meterkeep.address}/work`);
  await page.getByRole("option", { name: "clock" }).waitFor({ state: "attached" });
  await tabTo(page, /^What(?!$)/);
  if (asked.what !== undefined) await page.keyboard.type(asked.what);
  await type(page, /^System titles/, asked.titles);
  await type(page, /^Why/, asked.why);
  if (asked.order !== undefined) await type(page, /^Work order/, asked.order);
  await press(page, /^Dry run$/);
  await page.getByRole("status").filter({ hasText: "load at risk" }).waitFor();
}

/** Follows the link of a card to the custodian's own page, and signs there. */
async function sign(page: Page, words: string, meter: number, notice = /^Approved/): Promise<void> {
  await page.goto(`${meterkeep.address}/approvals`);
  const card = page.getByRole("article").filter({ hasText: words });
  await card.getByRole("link", { name: /Sign at the custodian/ }).waitFor();
  // What it is about stands before the way to sign it.
  const text = await card.innerText();
  const stake = new RegExp(`meters?\\s+${meter}\\s+load at risk\\s+[\\d.]+\\s*k?W`);
  assert.match(text.slice(0, text.indexOf("Sign at")), stake);
  const coming = ben.context.waitForEvent("page");
  await press(page, new RegExp(`^Sign at the custodian.*${words}`));
  const custodians = await coming;
  await custodians.waitForLoadState();
  const device = await plugIn(custodians, bensDevice);
  assert.equal(new URL(custodians.url()).origin, `http://localhost:${meterkeep.ports.approvals}`);
  assert.notEqual(new URL(custodians.url()).origin, new URL(meterkeep.address).origin);
  const own = custodians.getByRole("article").filter({ hasText: words });
  await own.waitFor();
  assert.match(await own.innerText(), /Asked for by\s+/);
  await custodians.getByLabel("Sign as").selectOption("ben");
  await press(custodians, new RegExp(`^Sign with passkey: ${words}`));
  await custodians.locator("#notice").filter({ hasText: notice }).waitFor();
  // The device has counted on.
  bensDevice = device;
}

/** The hash of what people sign of the campaign that a page shows. */
async function manifestOf(page: string): Promise<string> {
  const id = new URL(page).pathname.split("/").at(-1) ?? "";
  return (await said<CampaignView>(meterkeep, "command", "show", id)).manifest?.hash ?? "";
}

test("Rita comes in and admits Ben, who makes passkeys: one for the head-end, another at the custodian", async () => {
  asks = await open(rita);
  await arrive(asks.page, meterkeep.signIn ?? "");
  await asks.page.goto(`${meterkeep.address}/people`);
  await asks.page.getByRole("heading", { name: "Admit somebody" }).waitFor();
  await type(asks.page, /^Name, for good/, "Ben");
  await press(asks.page, /^operator$/, "Space");
  await press(asks.page, /^approver$/, "Space");
  await press(asks.page, /^Admit$/);
  await asks.page.getByText(/Ben signs in with this link, once/).waitFor();
  approves = await open(ben);
  await arrive(approves.page, await asks.page.locator(".once-link code").innerText());

  anna = await enrolKeyHolder(meterkeep, "anna", "Anna", "operations");
  const { link } = await said<{ link: string }>(
    meterkeep,
    ...["approvers", "invite", "ben", "--name", "Ben", "--roles", "security"],
  );
  const { page: custodians } = await open(ben);
  bensDevice = await plugIn(custodians);
  await custodians.goto(link);
  await press(custodians, /^Make a passkey/);
  await custodians.locator("#notice").filter({ hasText: "can approve from now on" }).waitFor();
  const change = await planPolicyService(meterkeep);
  await approve(meterkeep, change, anna);
  await custodians.locator(`#sign-${change}`).waitFor();
  await press(custodians, /^Sign with passkey: .*policy/);
  await custodians.locator("#notice").filter({ hasText: "Approved, and done" }).waitFor();
});

test("what meters have in common is offered with how many there are, and those that are listed are kept under a name, by keyboard", async () => {
  const homes = await readyHomes(api, 2);
  const { page } = asks;
  await page.goto(`${meterkeep.address}/work`);
  for (const kind of ["feeder", "transformer", "profile", "model", "firmware"])
    await page
      .getByRole("option", { name: new RegExp(`^${kind} .+ \\(\\d+\\)$`) })
      .first()
      .waitFor({ state: "attached" });
  await type(page, /^System titles/, homes.join(" "));
  await type(page, /^Keep these 2 as a group/, "hill");
  await press(page, /^Keep as group$/);
  await page.getByRole("option", { name: "group hill (2)" }).waitFor({ state: "attached" });
  assert.equal(await page.getByLabel("Which meters").inputValue(), "group:hill");
});

test("a disconnection goes from selection through dry run and a signed approval to its report, by two people at keyboards", async () => {
  const [meter = ""] = await readyHomes(api, 1);
  const { page } = asks;
  await workOrder(stateDirectory, "WO-7", "safety", [meter]);
  await tryDry(page, { titles: meter, why: "safety", order: "WO-7" });
  await page.getByText("1 person must approve it").waitFor();
  await press(page, /^Ask for this$/);
  await page.getByRole("link", { name: /Sign at the custodian/ }).waitFor();
  await sign(approves.page, "disconnect the supply", 1);
  await page.getByRole("heading", { name: "Report" }).waitFor();
  await page.getByRole("status").filter({ hasText: "It is done" }).waitFor();
  await page.getByRole("row").filter({ hasText: "disconnected" }).waitFor();
  assert.match(await page.locator(".facts").innerText(), /Approved by\s+Ben/);
  await accessible(page);
  const home = (await townControl(stateDirectory).truth()).find(({ systemTitle }) => systemTitle === meter);
  assert.equal(home?.supplied, false);
});

test("a campaign of three waves: who never asked for so many waits until somebody else releases it, and two people sign", async () => {
  const chosen = await readyHomes(api, 12);
  const { page } = asks;
  const { page: bens } = approves;
  await tryDry(page, { what: "write special", titles: chosen.join(" "), why: "maintenance" });
  await page.getByText("12 meters selected, 3 waves").waitFor();
  await page.getByText("The guard sets it aside").waitFor();
  await press(page, /^Ask for this$/);
  await page.getByRole("heading", { level: 1, name: /special days/ }).waitFor();
  await bens.goto(`${meterkeep.address}/approvals`);
  await bens.getByRole("article").filter({ hasText: "MC-16" }).waitFor();
  await type(bens, /^Reason$/, "the new holidays");
  await press(bens, /^Release/);
  await bens.waitForURL(/\/work\/./);
  await bens.getByText(/released by Ben/).waitFor();
  holidays = bens.url();
  // What runs later by itself takes two people on more than one meter: the page says that one is missing.
  await sign(bens, "set 1 special days", 12, /^Your approval was taken: 1 of 2 people/);
  await page.goto(holidays);
  await page.getByText("1 of 2 people have approved").waitFor();
  await approve(meterkeep, await manifestOf(holidays), anna);
  await page
    .getByRole("region", { name: "3 waves" })
    .getByText(/under way|watched/)
    .waitFor();
});

test("what the guard sets aside is explained to who asked, and decided by somebody else", async () => {
  const [meter = ""] = await readyHomes(api, 1);
  const { page } = asks;
  await tryDry(page, { titles: meter, why: "safety" });
  await page.getByText("The guard sets it aside").waitFor();
  await accessible(page);
  await press(page, /^Ask for this$/);
  await page.getByRole("heading", { level: 1, name: "disconnect the supply" }).waitFor();
  await page.goto(`${meterkeep.address}/approvals`);
  const held = page.getByRole("article").filter({ hasText: "MC-10" });
  await held.getByText("Somebody else decides about it.").waitFor();
  assert.equal(await held.getByRole("button").count(), 0);

  const { page: bens } = approves;
  await bens.goto(`${meterkeep.address}/approvals`);
  await bens.getByRole("article").filter({ hasText: "MC-10" }).waitFor();
  await type(bens, /^Reason$/, "no work order");
  await accessible(bens);
  await press(bens, /^Discard/);
  await bens
    .getByRole("region", { name: "Decided" })
    .getByText(/discarded by Ben/)
    .waitFor();
  // The rule says what it refused last.
  await bens.goto(`${meterkeep.address}/rules#MC-10`);
  const rule = bens.getByRole("row", { name: /^MC-10/ });
  await rule.getByText("no work order was named").waitFor();
  assert.equal(await bens.getByRole("row", { name: /^MC-\d\d/ }).count(), 23);
  await accessible(bens);
});

test("how far anybody reaches is on the page with live figures, for who asks and who approves alike", async () => {
  const { page } = approves;
  await page.goto(`${meterkeep.address}/blast`);
  const pair = page.getByRole("row", { name: /and Ben/ }).first();
  await pair.waitFor();
  assert.match(await pair.innerText(), /Two together\s+2\s/);
  await page.getByText(/1 are used up/).waitFor();
  await page.getByRole("row", { name: /^policy/ }).waitFor();
  await accessible(page);
});

test("the campaign of twelve has gone through its waves, one after the other was watched, to its report", async () => {
  const { page } = asks;
  await page.goto(holidays);
  await page.getByRole("status").filter({ hasText: "It is done" }).waitFor();
  const waves = await page.getByRole("region", { name: "3 waves" }).innerText();
  assert.match(waves, /1 meter: passed.*10 meters: passed.*1 meter: passed/s);
  assert.match(await page.locator(".facts").innerText(), /released by Ben.*Approved by\s+Ben, Anna/s);
});

test("no page of all these has complained", () => {
  assert.deepEqual(
    opened.flatMap(({ complaints }) => complaints),
    [],
  );
});

/// <reference lib="dom" />
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { extname } from "node:path";
import { after, before, test } from "node:test";
import { CustodianCallError } from "@meterkeep/api/custodian";
import type { Page } from "playwright-core";
import { buildPage } from "../../apps/cli/src/start/page-build.ts";
import { startTestServer, type TestServer } from "../../apps/server/src/testing/test-server.ts";
import { CHECKOUT, makeStateDirectory } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser } from "./chromium.ts";
import { accessible, press, tabTo } from "./keyboard.ts";

const TITLE = "4D4B560000000001";
const BUILDING_PATIENCE_MS = 240_000;
const SIZES = { "at a desk": { width: 1440, height: 900 }, "on a phone": { width: 390, height: 844 } } as const;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

let directory: string;
/** As an installation before has built them, or built here. */
let pages: string;
let server: TestServer;

/** Who has signed that the meter may leave, and whether it has. */
let departure: { state: "planned" | "approved" | "executed"; requester: string } | undefined;

/** The custodian's side of a departure: planned when it is asked for, carried out when it is asked for again and approved. */
const departing = {
  departMeters: async ({ requester = "" }: { readonly requester?: string }) => {
    if (departure?.state === "approved") departure = { ...departure, state: "executed" };
    if (departure?.state === "executed") return { departed: 1 };
    departure ??= { state: "planned", requester };
    throw new CustodianCallError("approval-required", "two people have to agree");
  },
  changes: async () => ({
    changes:
      departure === undefined
        ? []
        : [
            {
              ...departure,
              hash: "ab".repeat(48),
              kind: "retire-meter",
              document: JSON.stringify({ body: { meter: [TITLE] } }),
              words: `retire meter ${TITLE} for good`,
              reason: "lightning",
              approvedBy: departure.state === "planned" ? [] : ["Ann", "Ben"],
              people: 2,
              ...(departure.state === "planned" && { missing: "2 more people" }),
              submittedAt: 0,
              expiresAt: 1,
            },
          ],
  }),
};

/** The head-end's HTTP side with one meter that was taken over and read; nobody speaks with it here, and nobody approves. */
before(async () => {
  directory = makeStateDirectory();
  pages = `${directory}/console`;
  const page = await buildPage("console", CHECKOUT, pages, AbortSignal.timeout(BUILDING_PATIENCE_MS));
  assert.notEqual(page.kind, "missing", JSON.stringify(page));
  server = await startTestServer({
    custodian: {
      beginShipment: async () => ({ upload: new Uint8Array(16) }),
      shipmentChunk: async () => ({}),
      submitManifest: async () => ({ hash: "" }),
      manifest: async () => ({ state: "planned", approvedBy: [], people: 1 }),
      ...departing,
    } as never,
    left: async () => void (await server.context.pool.query("update takeovers set phase = 'left'")),
  });
  await storeMeter(server);
});
after(async () => {
  await server?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function storeMeter({ context: { inventory, pool, scope } }: TestServer): Promise<void> {
  const meter = {
    systemTitle: TITLE,
    kind: "simulated",
    profile: "idis-p2",
    securitySuite: 0,
    manufacturer: "Maker",
    model: "MKV-I120",
    firmware: "1.0",
    holders: ["Maker"],
    shipment: "5".repeat(32),
  } as const;
  await inventory.add([meter], new Date());
  await pool.query("update takeovers set phase = 'done', verdict = 'proven'");
  await pool.query("update trust set state = 'trusted'");
  await pool.query("update meters set route = 'tcp://127.0.0.1:4059', role = 'home'");
  const octets = Buffer.from("0102030405", "hex");
  const hash = createHash("sha256").update(octets).digest();
  await pool.query(
    `with e as (
       insert into evidence (utility_id, island_id, hash, meter_id, octets, plain, protection, received_at, trust_at_capture)
       select utility_id, island_id, $3, meter_id, $4, $4, 'authenticated', now(), 'trusted' from meters
       where utility_id = $1 and island_id = $2 returning *
     ), v as (
       insert into meter_events (utility_id, island_id, meter_id, log, at, code, category, severity, received_at, evidence_id,
         protection, trust_at_capture)
       select utility_id, island_id, meter_id, 'fraud', now() - n * interval '1 minute', 40, 'physical', 3, now(), evidence_id,
         'authenticated', 'trusted' from e, generate_series(1, 12) n
     ), c as (
       insert into channels (utility_id, island_id, channel_id, obis, name, unit) values ($1, $2, 1, '1-0:32.24.0', '', 'V')
     )
     insert into quality_readings (utility_id, island_id, meter_id, at, channels, readings, received_at, evidence_id, protection,
       trust_at_capture)
     select utility_id, island_id, meter_id, date_trunc('hour', now()) - n * interval '10 minutes', '{1}', array[230 + n / 10.0],
       now(), evidence_id, 'authenticated', 'trusted' from e, generate_series(1, 20) n`,
    [...scope.place, hash, octets],
  );
}

/** The console as it was built, in front of the server. */
async function openPage(browser: TestBrowser, cookie: string) {
  const origin = `http://localhost:${new URL(server.url).port}`;
  const [name = "", value = ""] = cookie.split("=");
  await browser.context.addCookies([{ name, value, url: origin }]);
  await browser.context.route("**/*", (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname.startsWith("/api/")) return route.continue();
    const file = pages + pathname;
    const path = pathname !== "/" && existsSync(file) ? file : `${pages}/index.html`;
    return route.fulfill({ body: readFileSync(path), contentType: TYPES[extname(path)] ?? "application/octet-stream" });
  });
  return browser.open(`${origin}/meters/${TITLE}`);
}

/** The meter has spoken: what its session would have written. */
async function answer(
  { campaign_id }: { readonly campaign_id: string },
  sentence: string,
  fact: { readonly wanted?: string; readonly found: string; readonly holds: boolean },
): Promise<void> {
  const facts = [{ name: "device on channel 1", object: "0.1.24.1.0.255/5", ...fact, hash: "ab".repeat(32) }];
  await server.context.pool.query(
    `update campaign_targets set state = 'done', sentence = $4, evidence = $5
     where utility_id = $1 and island_id = $2 and campaign_id = $3`,
    [...server.context.scope.place, campaign_id, sentence, JSON.stringify(facts)],
  );
}

async function newestCampaign() {
  const { pool, scope } = server.context;
  const { rows } = await pool.query(
    `select campaign_id, looks, command_class from campaigns where utility_id = $1 and island_id = $2
     order by created_at desc limit 1`,
    [...scope.place],
  );
  const [newest] = rows as { campaign_id: string; looks: boolean; command_class: string }[];
  assert.ok(newest);
  return newest;
}

/** A device on the M-Bus is read by keyboard: what it has counted is said, and stands with the meter's readings at once. */
async function countedGas(page: Page, cubicMetres: number): Promise<void> {
  const { pool, scope } = server.context;
  const value = page.getByRole("row", { name: /M-Bus meter value.*0-1:24\.2\.1/ });
  assert.equal(await value.getByText(String(cubicMetres)).count(), 0);
  await page.locator("section[aria-labelledby=meter-work-title] select").first().focus();
  await page.keyboard.type("read an M");
  await press(page, /^Read/);
  await page.getByText("The meter is asked").waitFor();
  const asked = await newestCampaign();
  assert.deepEqual([asked.looks, asked.command_class], [false, "C0"]);
  await pool.query(
    `insert into register_readings (utility_id, island_id, meter_id, obis, at, received_at, number_value, unit, source,
       evidence_id, protection, trust_at_capture)
     select utility_id, island_id, meter_id, '0-1:24.2.1', now(), now(), $3, 'm³', 'session', evidence_id, 'authenticated',
       'trusted'
     from evidence where utility_id = $1 and island_id = $2 limit 1`,
    [...scope.place, cubicMetres],
  );
  const sentence = `The device on channel 1 has counted ${cubicMetres} m³.`;
  await answer(asked, sentence, { found: "MKV, gas, 1", holds: true });
  await page.getByText(sentence).waitFor();
  await value.getByText(String(cubicMetres)).waitFor();
}

for (const [where, viewport] of Object.entries(SIZES))
  test(`${where} a meter's page shows its events and power quality, an M-Bus device is read, and by keyboard it is looked at before it is asked for anything`, async () => {
    const { pool, scope } = server.context;
    const { cookie } = await server.person(`Rita ${where}`, ["operator"]);
    await using browser = await openBrowser({ locale: "en-GB", viewport });
    const { page, complaints } = await openPage(browser, cookie);
    await page.getByRole("heading", { name: "Do something with it" }).waitFor();
    await page.getByRole("button", { name: "Show all 12" }).waitFor();
    assert.equal(await page.getByText("terminal cover removed").count(), 8);
    await page.getByRole("button", { name: "Show all 12" }).click();
    await page.getByText("terminal cover removed").nth(11).waitFor();
    await page.getByRole("heading", { name: "Power quality" }).waitFor();
    await page.getByText("230.1").waitFor();
    await accessible(page);

    await countedGas(page, where.length + 0.07);

    await page.locator("section[aria-labelledby=meter-work-title] select").first().focus();
    await page.keyboard.type("install an M");
    // Each parameter has a field of its own: what is out of bounds the browser itself refuses.
    const channel = page.getByLabel("Channel", { exact: true });
    assert.deepEqual([await channel.inputValue(), await channel.getAttribute("max")], ["1", "8"]);
    await tabTo(page, /^Address/);
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("999");
    await press(page, /^Look first/);
    assert.equal(await page.getByText("The meter is asked").count(), 0);
    await page.getByLabel("Address", { exact: true }).fill("1");
    assert.equal(await page.getByRole("button", { name: "Ask for this" }).count(), 0, "it is looked at first");
    await press(page, /^Look first/);
    await page.getByText("The meter is asked").waitFor();
    const look = await newestCampaign();
    assert.deepEqual([look.looks, look.command_class], [true, "C0"]);
    await answer(look, "Channel 1 is free.", { wanted: "address 1", found: "none", holds: false });
    await page.getByText("Channel 1 is free.").waitFor();
    await page.getByRole("row", { name: /device on channel 1 none address 1/ }).waitFor();
    await accessible(page);
    await press(page, /^Ask for this/);
    await page.waitForURL(/\/work\//);
    await page
      .getByText(/has to approve it|have to approve it/)
      .first()
      .waitFor();
    assert.deepEqual(complaints, []);
    await pool.query("update campaigns set state = 'stopped' where utility_id = $1 and island_id = $2", [
      ...scope.place,
    ]);
  });

test("an approver settles by keyboard what a rule disputes: chosen, looked at first, then accepted, and the values say so", async () => {
  const { pool, scope } = server.context;
  await pool.query(
    `insert into plausibility_findings (utility_id, island_id, rule, subject_kind, subject, meter_id, from_at, to_at,
       found_at, severity, confidence, disputes, sentence, data)
     select utility_id, island_id, 'P-8', 'meter', meter_id::text, meter_id, min(at) - interval '1 minute', max(at), now(),
       'alert', 1, true, 'Its clock was an hour fast.', '{}'
     from quality_readings where utility_id = $1 and island_id = $2 group by 1, 2, meter_id`,
    [...scope.place],
  );
  const another = (rule: string, days: number, minutes: number) =>
    pool.query(
      `insert into plausibility_findings (utility_id, island_id, rule, subject_kind, subject, meter_id, from_at, to_at,
         found_at, severity, confidence, disputes, sentence, data)
       select utility_id, island_id, $3, 'meter', meter_id::text, meter_id, min(at) - make_interval(days => $4, mins => $5),
         max(at) - make_interval(days => $4), now(), 'alert', 1, true, 'Another.', '{}'
       from quality_readings where utility_id = $1 and island_id = $2 group by 1, 2, meter_id`,
      [...scope.place, rule, days, minutes],
    );
  const { cookie } = await server.person("Otto", ["approver"]);
  await using browser = await openBrowser({ locale: "en-GB", viewport: SIZES["at a desk"] });
  const { page, complaints } = await openPage(browser, cookie);
  const panel = page.locator("section[aria-labelledby=disputes-title]");
  await panel.getByText("Its clock was an hour fast.").waitFor();
  // Of long ago, and found later: the page shows so many, says how many more there are, and leads to them.
  for (let n = 0; n < 9; n += 1) await another("P-1", 100 + 10 * n, 1);
  await page.reload();
  await panel.getByText("Another.").nth(7).waitFor();
  assert.equal(await panel.getByText("Its clock was an hour fast.").count(), 0);
  await press(page, /^Show more, 2 older/);
  await panel.getByText("Its clock was an hour fast.").waitFor();
  assert.equal(await panel.getByText("Another.").count(), 9);
  assert.equal(await panel.getByRole("button", { name: /^Show more/ }).count(), 0);
  await page
    .getByRole("row", { name: /230\.1.*/ })
    .getByText("disputed")
    .waitFor();
  await press(page, /^Choose : P-8|^Choose: P-8/);
  assert.equal(await panel.getByRole("button", { name: "Look first" }).isDisabled(), true, "a reason is given first");
  await panel.getByLabel("Why it is so").focus();
  await page.keyboard.type("the clock was seen to");
  await press(page, /^Look first/);
  await panel.getByText(/20 rows of power quality would be accepted, of 1 dispute\./).waitFor();
  await accessible(page);
  // Something has come since: it is looked at again, and nothing was settled.
  await another("P-14", 0, 1);
  await press(page, /^Accept these values/);
  await panel
    .getByText(/nothing was settled\. .*20 rows of power quality would be accepted, of 2 disputes\./)
    .waitFor();
  await press(page, /^Accept these values/);
  await panel.getByText(/20 rows of power quality are accepted, of 2 disputes\./).waitFor();
  await panel.getByText("Otto accepted: the clock was seen to").first().waitFor();
  await page
    .getByRole("row", { name: /230\.1.*/ })
    .getByText("accepted")
    .waitFor();
  assert.deepEqual(complaints, []);
});

test("a meter is retired by keyboard: asked for, signed by others elsewhere, asked for again, and then it is done", async () => {
  const { cookie } = await server.person("Rosa", ["operator"]);
  await using browser = await openBrowser({ locale: "en-GB", viewport: SIZES["on a phone"] });
  const { page, complaints } = await openPage(browser, cookie);
  const leaving = page.locator("section[aria-labelledby=leave-title]");
  await leaving.waitFor();
  const retire = leaving.getByRole("button", { name: "Retire it" });
  assert.equal(await retire.isDisabled(), true, "a reason is given first");
  await leaving.getByLabel("Reason").focus();
  await page.keyboard.type("lightning");
  await press(page, /^Retire it/);
  await leaving.getByText("Asked for by Rosa").waitFor();
  await leaving.getByText("Nobody has signed it.").waitFor();
  await accessible(page);
  assert.ok(departure);
  departure.state = "approved";
  await leaving.getByText("Signed by Ann, Ben.").waitFor();
  await leaving.getByLabel("Reason").focus();
  await press(page, /^Retire it/);
  await leaving.waitFor({ state: "detached" });
  assert.equal(await page.getByRole("heading", { name: "Do something with it" }).count(), 0, "nothing is done with it");
  assert.deepEqual(complaints, []);
  await server.context.pool.query("update takeovers set phase = 'done'");
});

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";
import { plugIn, tabTo } from "./keyboard.ts";

let meterkeep: Meterkeep;
let stateDirectory: string;
/** Two people at two machines. */
let anna: TestBrowser;
let ben: TestBrowser;
let pages: { readonly anna: WatchedPage; readonly ben: WatchedPage };

before(async () => {
  stateDirectory = makeStateDirectory();
  meterkeep = await startMeterkeep({ meters: 4, stateDirectory });
  anna = await openBrowser({ locale: "en-GB" });
  ben = await openBrowser({ locale: "en-GB" });
});
after(async () => {
  await anna?.[Symbol.asyncDispose]();
  await ben?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
  rmSync(stateDirectory, { recursive: true, force: true });
});

const page = () => `http://localhost:${meterkeep.ports.approvals}`;

async function command(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await meterkeep.command([...args, "--json"]);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function notice(of: Page, text: RegExp): Promise<void> {
  await of.locator("#notice").filter({ hasText: text }).waitFor();
}

async function enrol(browser: TestBrowser, id: string, name: string, roles: string): Promise<WatchedPage> {
  const { link } = await command("approvers", "invite", id, "--name", name, "--roles", roles);
  const watched = await browser.open("about:blank");
  await plugIn(watched.page);
  await watched.page.goto(String(link));
  await watched.page.getByRole("heading", { name: "You are invited" }).waitFor();
  await tabTo(watched.page, /Make a passkey/);
  await watched.page.keyboard.press("Enter");
  await notice(watched.page, /can approve from now on/);
  return watched;
}

test("two people make passkeys on the custodian's own page, by keyboard", async () => {
  pages = {
    anna: await enrol(anna, "anna", "Anna", "operations"),
    ben: await enrol(ben, "ben", "Ben", "security"),
  };
  const { approvers } = (await command("approvers", "list")) as { approvers: { id: string; key: string }[] };
  assert.deepEqual(
    approvers.map(({ id, key }) => [id, key]),
    [
      ["anna", "passkey"],
      ["ben", "passkey"],
    ],
  );
});

test("what they approve is shown to each by the custodian, in words, and counts once both have signed it", async () => {
  const meters = (await command("meter", "list")) as unknown as { readonly systemTitle: string }[];
  const titles = meters.map(({ systemTitle }) => systemTitle).sort();
  assert.ok(titles.length >= 2);
  const many = [...titles, ...Array.from({ length: 11 }, (_, at) => `54535400000010${10 + at}`)].sort();
  const made = await meterkeep.command([
    ...["manifest", "make", '{"kind":"disconnect","instance":"000060030aff"}', ...many, "--requester", "Rita"],
    ...["--reason", "RC1", "--utility", "demo", "--island", "main", "--load", "500"],
  ]);
  assert.equal(made.status, 0, made.stderr);
  const file = join(stateDirectory, "wanted.mkm");
  writeFileSync(file, made.stdout);
  const { hash } = await command("manifest", "submit", file);
  for (const [who, result] of [
    ["anna", /1 of 2 people have approved/],
    ["ben", /^Approved\.$/],
  ] as const) {
    const { page: shown } = pages[who];
    const card = shown.getByRole("article").filter({ hasText: String(hash) });
    await card.waitFor();
    const text = await card.innerText();
    assert.match(text, /disconnect the supply/);
    assert.match(text, new RegExp(`${many.length}\\n`));
    assert.match(text, new RegExp(`${many.length / 2} kW`));
    assert.match(text, /Asked for by\s+Rita/);
    await shown.getByLabel("Sign as").selectOption(who);
    await tabTo(shown, /Sign with passkey: disconnect/);
    await shown.keyboard.press("Enter");
    await notice(shown, result);
  }
  const state = (await command("manifest", "show", String(hash))) as { state: string; approvedBy: string[] };
  assert.deepEqual([state.state, state.approvedBy], ["approved", ["Anna", "Ben"]]);
});

test("one of them freezes everything by keyboard, and it takes both to thaw", async () => {
  const { page: shown } = pages.anna;
  await shown.getByLabel("Sign as").selectOption("anna");
  await tabTo(shown, /Freeze everything critical/);
  await shown.keyboard.press("Enter");
  await notice(shown, /Everything critical is frozen/);
  const { hash } = await command("kill-switch", "thaw", "--requester", "Rita");
  for (const [who, result] of [
    ["anna", /1 of 2/],
    ["ben", /Approved, and done/],
  ] as const) {
    const { page: own } = pages[who];
    await own.locator(`#sign-${String(hash)}`).waitFor();
    await tabTo(own, /Sign with passkey: end the freeze/);
    await own.keyboard.press("Enter");
    await notice(own, result);
  }
  const { frozen } = await command("approvers", "list");
  assert.equal(frozen, undefined);
});

test("the page keeps to its own policy and serves nobody else's page", async () => {
  assert.deepEqual([...pages.anna.complaints, ...pages.ben.complaints], []);
  const foreign = await fetch(`${page()}/api/state`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: meterkeep.address },
    body: "{}",
  });
  assert.equal(foreign.status, 404);
  const bound = await fetch(`http://127.0.0.1:${meterkeep.ports.approvals}/`);
  assert.equal(bound.status, 421);
  const policy = (await fetch(page())).headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { ownerClient } from "../src/api-client.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";
import { plugIn, tabTo } from "./keyboard.ts";

const SOFTHSM = process.env["METERKEEP_SOFTHSM"] ?? "/usr/lib/softhsm/libsofthsm2.so";
const PATIENCE = { patienceMs: 300_000, everyMs: 500 } as const;

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
    ...["--reason", "safety: RC1", "--work-order", "WO-1", "--utility", "demo", "--island", "main", "--load", "500"],
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

/** Clara's token, as the command line is told of it, and the environment in which its library finds it. */
function makeToken(): readonly string[] {
  const folder = join(stateDirectory, "clara");
  mkdirSync(join(folder, "tokens"), { recursive: true });
  const config = join(folder, "softhsm2.conf");
  writeFileSync(config, `directories.tokendir = ${folder}/tokens\nlog.level = ERROR\n`);
  const pinFile = join(folder, "pin");
  writeFileSync(pinFile, "48151623\n", { mode: 0o600 });
  process.env["SOFTHSM2_CONF"] = config;
  const all = ["--init-token", "--free", "--label", "clara", "--pin", "48151623", "--so-pin", "48151623"];
  execFileSync("softhsm2-util", all, { stdio: "ignore" });
  return ["--pkcs11", SOFTHSM, "--token", "clara", "--pin-file", pinFile];
}

/** Signs on a person's page what the custodian shows there. */
async function signOnPage(who: "anna" | "ben", hash: string): Promise<void> {
  const { page: own } = pages[who];
  await own.getByLabel("Sign as").selectOption(who);
  await own.locator(`#sign-${hash}`).click({ timeout: PATIENCE.patienceMs });
  const name = who === "anna" ? "Anna" : "Ben";
  await until(
    `${name} has signed`,
    async () => {
      const documents = [...(await list("change")), ...(await list("manifest"))];
      return documents.some((one) => one.hash === hash && one.approvedBy.includes(name));
    },
    PATIENCE,
  );
}

async function list(kind: "change" | "manifest") {
  const { status, stdout, stderr } = await meterkeep.command([kind, "list", "--json"]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as readonly { readonly hash: string; readonly approvedBy: readonly string[] }[];
}

test("a third person signs with a key in a token at the command line, beside passkeys; who asks does not, and three lift the caps", async (context) => {
  assert.ok(existsSync(SOFTHSM), "SoftHSM2 is not here: apt-get install softhsm2");
  const token = makeToken();
  context.after(() => delete process.env["SOFTHSM2_CONF"]);
  const key = [...token, "--key-label", "approver"];
  const enrolment = ["approvers", "enrol", "clara", "--name", "Clara", "--roles", "audit"];
  const { enrolled, change } = await command(...enrolment, ...key);
  assert.equal(enrolled, false, "two people decide about people");
  await signOnPage("anna", String(change));
  await signOnPage("ben", String(change));
  const { approvers } = (await command("approvers", "list")) as { approvers: { id: string; key: string }[] };
  assert.deepEqual(
    approvers.map(({ id, key: kind }) => `${id} ${kind}`),
    ["anna passkey", "ben passkey", "clara signature"],
  );

  const titles = Array.from({ length: 12 }, (_, at) => `54535400000020${10 + at}`);
  const manifest = async (requester: string): Promise<string> => {
    const made = await meterkeep.command([
      ...["manifest", "make", '{"kind":"disconnect","instance":"000060030aff"}', ...titles, "--requester", requester],
      ...["--reason", "safety: RC1", "--work-order", "WO-1", "--utility", "demo", "--island", "main"],
    ]);
    assert.equal(made.status, 0, made.stderr);
    const file = join(stateDirectory, `wanted-by-${requester}.mkm`);
    writeFileSync(file, made.stdout);
    return String((await command("manifest", "submit", file))["hash"]);
  };
  const own = await manifest("Clara");
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { status, stderr } = await meterkeep.command(["approve", ...args]);
    assert.notEqual(status, 0);
    return stderr;
  };
  assert.match(await refused(own, "--as", "clara", ...key), /who asks/);
  const hash = await manifest("Rita");
  assert.match(await refused(hash, "--as", "clara", ...token, "--key-label", "another"), /no approver of that id/);
  assert.match(await refused(hash, "--as", "anna", ...key), /no approver of that id/);
  assert.match(String((await command("approve", hash, "--as", "clara", ...key))["missing"]), /1 of 2/);
  await signOnPage("ben", hash);
  const shown = (await command("manifest", "show", hash)) as { state: string; approvedBy: string[] };
  assert.deepEqual([shown.state, [...shown.approvedBy].sort()], ["approved", ["Ben", "Clara"]]);

  const lifting = await command("break-glass", "--minutes", "5", "--reason", "the substation burns");
  await signOnPage("anna", String(lifting["hash"]));
  await signOnPage("ben", String(lifting["hash"]));
  assert.equal((await command("approvers", "list"))["breakGlass"], undefined, "two do not lift them");
  const third = await command("approve", String(lifting["hash"]), "--as", "clara", ...key);
  assert.equal(third["executed"], true);
  assert.match((await meterkeep.command(["approvers", "list"])).stdout, /THE CAPS ARE LIFTED until/);
  const api = await ownerClient(meterkeep);
  await until(
    "the console's warnings say so",
    async () => (await api.call("overview")).warnings.some(({ code }) => code === "caps-lifted"),
    PATIENCE,
  );
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

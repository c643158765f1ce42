import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import type { FieldReport } from "@meterkeep/api/custodian";
import { freePort } from "@meterkeep/postgres/testing";
import type { Locator, Page } from "playwright-core";
import { ownerClient } from "../src/api-client.ts";
import { CHECKOUT, cleanEnvironment, type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";

// The technicians' page in a real browser, against a real town: an authenticator with the PRF extension, the custodian that
// lends, and meters on real sockets behind `meterkeep field bridge`.

/** A device that says yes by itself, and keeps a secret for pages. */
const AUTHENTICATOR = {
  protocol: "ctap2",
  ctap2Version: "ctap2_1",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  hasPrf: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;
const PHONE = { width: 360, height: 740 };
const PATIENCE_MS = 240_000;

let meterkeep: Meterkeep;
let phone: TestBrowser;
let field: WatchedPage;
let origin: string;
let folder: string;

before(async () => {
  const port = await freePort();
  origin = `http://localhost:${port}`;
  folder = mkdtempSync(join(tmpdir(), "mk-field-"));
  meterkeep = await startMeterkeep({ meters: 6, options: ["--field-port", String(port)] });
  phone = await openBrowser({ viewport: PHONE, hasTouch: true, isMobile: true, locale: "en-GB", timezoneId: "UTC" });
  field = await phone.open("about:blank");
  const devtools = await phone.context.newCDPSession(field.page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options: AUTHENTICATOR });
  await field.page.goto(`${origin}/`);
});
after(async () => {
  await phone?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function command(...args: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await meterkeep.command([...args, "--json"]);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout);
}

async function notice(of: Page, text: RegExp): Promise<void> {
  await of.locator("#notice").filter({ hasText: text }).waitFor();
}

async function assertAccessible(of: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page: of }).analyze();
  assert.deepEqual(
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
    [],
  );
  assert.ok(await of.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "nothing sticks out");
}

/** The bridge as a technician starts it: a process of its own, until it is interrupted. */
async function startBridge(address: string): Promise<AsyncDisposable & { readonly port: string }> {
  const child = spawn(
    process.execPath,
    [`${CHECKOUT}/apps/cli/src/main.ts`, "field", "bridge", address, "--origin", origin, "--port", "0"],
    { env: cleanEnvironment(), stdio: ["ignore", "pipe", "inherit"] },
  );
  const { value } = (await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()) as {
    value: string;
  };
  const port = /port (\d+)/.exec(value)?.[1] ?? assert.fail(value);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGINT");
      if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}

interface LeaseText {
  readonly terms: string;
  readonly key: object;
  readonly sealed: string;
  readonly signed: { readonly ecdsa: string; readonly mldsa: string; readonly by: Record<"ecdsa" | "mldsa", string> };
}

/** Who knows a phone's public keys can seal to it, and sign as themselves. */
function signedByAnother(lent: Omit<LeaseText, "signed">): LeaseText["signed"] {
  const [ecdsa, mldsa] = [generateKeyPairSync("ec", { namedCurve: "P-384" }), generateKeyPairSync("ml-dsa-65")];
  const hash = createHash("sha384").update(JSON.stringify(lent)).digest("hex");
  const text = Buffer.from(`meterkeep-lease-signature-1:${hash}`);
  const der = (key: KeyObject) => key.export({ type: "spki", format: "der" }).toString("base64");
  return {
    ecdsa: sign("sha384", text, { key: ecdsa.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64"),
    mldsa: sign(null, text, mldsa.privateKey).toString("base64"),
    by: { ecdsa: der(ecdsa.publicKey), mldsa: der(mldsa.publicKey) },
  };
}

/** A custodian's id as the page shows it. */
function readAloud({ ecdsa, mldsa }: LeaseText["signed"]["by"]): RegExp {
  const hash = createHash("sha256").update(Buffer.from(ecdsa, "base64")).update(Buffer.from(mldsa, "base64"));
  return new RegExp(hash.digest("hex").match(/.{4}/g)?.join(" ") ?? "");
}

/** What the page's storage has, as somebody else on the device can read it. */
async function readKept(): Promise<{ readonly lease: { readonly journal: string } }> {
  const answered = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve) => {
      request.onsuccess = () => resolve(request.result);
    });
  const store = (await answered(indexedDB.open("meterkeep-field", 1))).transaction("kept").objectStore("kept");
  return { lease: (await answered(store.get("lease"))) as { readonly journal: string } };
}

/** Writes into the page's storage as somebody else on the device could. */
async function rewriteKept(of: Page, name: string, change: object): Promise<void> {
  await of.evaluate(
    async ([key, fields]) => {
      const answered = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve) => {
          request.onsuccess = () => resolve(request.result);
        });
      const store = (await answered(indexedDB.open("meterkeep-field", 1)))
        .transaction("kept", "readwrite")
        .objectStore("kept");
      const before = (await answered(store.get(key))) as object;
      await answered(store.put({ ...before, ...fields }, key));
    },
    [name, change] as const,
  );
}

/** Meters whose takeover is proven and that answer where they are to be: one of the depot is on its way there for a while. */
async function lendable(count: number) {
  const api = await ownerClient(meterkeep);
  const town = townControl(meterkeep.stateDirectory);
  return until(
    `${count} takeovers are proven`,
    async () => {
      const there = new Set((await town.truth()).flatMap((one) => (one.inField ? [one.systemTitle] : [])));
      const proven = (await api.meters().catch(() => [])).filter(
        ({ systemTitle, takeover }) => takeover === "proven" && there.has(systemTitle),
      );
      return proven.length >= count && proven.slice(0, count);
    },
    { patienceMs: PATIENCE_MS, everyMs: 500 },
  );
}

function addressOf(title: string): string {
  const { meters } = JSON.parse(readFileSync(`${meterkeep.stateDirectory}/exchange/addresses.json`, "utf8")) as {
    readonly meters: readonly { readonly systemTitle: string; readonly host: string; readonly port: number }[];
  };
  const found = meters.find(({ systemTitle }) => systemTitle === title) ?? assert.fail(`where is ${title}?`);
  return `tcp://${found.host}:${found.port}`;
}

/** What is no answer yet. */
const WAITING = /^…?$/;

/** Reads a meter. It has one connection, and the head-end may have it for the moment: then it is asked once more. */
async function reads(page: Page, title: string, ask: (button: Locator) => Promise<void>): Promise<void> {
  const told = page.locator("#notice");
  await until(
    `${title} is read`,
    async () => {
      await told.evaluate((element) => {
        element.textContent = "";
      });
      await ask(page.locator(`#read-${title}`));
      await told.filter({ hasNotText: WAITING }).waitFor();
      return /is read/.test(await told.innerText());
    },
    { patienceMs: PATIENCE_MS, everyMs: 500 },
  ).catch(async (error: Error) => assert.fail(`${error.message}: ${await told.innerText()}`));
}

test("a phone becomes a handheld by touch of its passkey, and nothing of its keys can be taken out", async () => {
  const { page } = field;
  await assertAccessible(page);
  await page.getByLabel("Name of this device").fill("PHONE-1");
  await page.getByRole("button", { name: "Make its keys" }).tap();
  await notice(page, /Its keys are made/);
  await assertAccessible(page);
  const kept = await page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open("meterkeep-field", 1);
      opening.onsuccess = () => resolve(opening.result);
    });
    const value = await new Promise<Record<string, unknown>>((resolve) => {
      const reading = database.transaction("kept").objectStore("kept").get("handheld");
      reading.onsuccess = () => resolve(reading.result as Record<string, unknown>);
    });
    return Object.keys(value).sort();
  });
  assert.deepEqual(kept, ["custodian", "keyId", "name", "passkey", "publicText", "wrapped"]);
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save its public keys" }).tap();
  const file = join(folder, "phone.pub");
  await (await saving).saveAs(file);
  await command("field", "enrol", file, "--technician", "Ada");
});

test("it takes a lease from a file, opens without a network, and reads a real meter through the bridge under the lease's keys", async () => {
  const { page } = field;
  const meters = await lendable(2);
  const titles = meters.map(({ systemTitle }) => systemTitle);
  const lease = join(folder, "today.lease");
  await command("field", "lend", "PHONE-1", ...titles, "--out", lease, "--hours", "8");
  const { signed, ...lent } = JSON.parse(readFileSync(lease, "utf8")) as LeaseText;
  assert.match(await page.locator("#custodian").innerText(), readAloud(signed.by));
  for (const [why, text] of [
    [/no custodian has signed it/, JSON.stringify(lent)],
    [/somebody changed it/, JSON.stringify({ ...lent, terms: lent.terms.replace('"read"', '"set-clock"'), signed })],
    [/has signed it, and this handheld is/, JSON.stringify({ ...lent, signed: signedByAnother(lent) })],
  ] as const) {
    const forged = join(folder, "forged.lease");
    writeFileSync(forged, text);
    await page.getByLabel("Take a lease from a file").setInputFiles(forged);
    await notice(page, why);
    assert.equal(await page.getByRole("article").count(), 0);
  }
  await page.getByLabel("Take a lease from a file").setInputFiles(lease);
  await notice(page, /The lease has 2 meters/);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await phone.context.setOffline(true);
  await page.reload();
  await page.getByRole("heading", { name: "Meters", exact: true }).waitFor();
  assert.equal(await page.getByRole("article").count(), 2);
  await phone.context.setOffline(false);
  const [title = ""] = titles;
  await using bridge = await startBridge(addressOf(title));
  await page.getByLabel(/meterkeep field bridge/).check();
  await page.getByLabel("Port of the bridge").fill(bridge.port);
  const asked = field.requests.length;
  // What lies in the browser's storage is no more believed than what comes in a file.
  await rewriteKept(page, "lease", { file: JSON.stringify({ ...lent, signed: signedByAnother(lent) }) });
  await page.locator(`#read-${title}`).tap();
  await notice(page, /has signed it, and this handheld is/);
  await rewriteKept(page, "lease", { file: readFileSync(lease, "utf8") });
  await reads(page, title, async (button) => {
    await button.focus();
    await page.keyboard.press("Enter");
  });
  // Its own journal says which counters are used: none is used again because somebody writes so.
  const { lease: kept } = await page.evaluate(readKept);
  const { text } = JSON.parse(kept.journal) as { readonly text: string };
  const unused = { ...(JSON.parse(kept.journal) as object), text: text.replace(/"used":\[.*?\]/, '"used":[]') };
  assert.notEqual(JSON.stringify(unused), kept.journal);
  await rewriteKept(page, "lease", { journal: JSON.stringify(unused) });
  await page.locator(`#read-${title}`).tap();
  await notice(page, /not what this handheld has signed/);
  await rewriteKept(page, "lease", { journal: kept.journal });
  // One that it has signed and is older is put back: the meter is asked, and no counter is used again.
  const readAgain = () => reads(page, title, (button) => button.tap());
  await readAgain();
  await rewriteKept(page, "lease", { journal: kept.journal });
  await readAgain();
  const { lease: putBack } = await page.evaluate(readKept);
  const told = JSON.parse((JSON.parse(putBack.journal) as { readonly text: string }).text) as {
    readonly passed: readonly { readonly meter: string }[];
  };
  assert.deepEqual(
    told.passed.map(({ meter }) => meter),
    [title],
  );
  const custodians = field.requests.slice(asked).filter(({ url }) => url.startsWith(origin));
  assert.deepEqual(custodians, [], "a visit asks nothing of the custodian");
  const card = page.getByRole("article").filter({ hasText: title });
  await card
    .getByText(/Active energy import/)
    .first()
    .waitFor();
  await card
    .getByText(/kWh|Wh/)
    .first()
    .waitFor();
  await assertAccessible(page);
  assert.deepEqual(field.complaints, []);
});

test("a lost handheld is one action on the console, which shows what is open and follows the rotations to their end", async () => {
  const desk = await phone.open(meterkeep.signIn ?? "");
  await desk.page.locator(".meter-table tbody tr").first().waitFor();
  await desk.page.goto(`${meterkeep.address}/field`);
  const button = desk.page.getByRole("button", { name: "PHONE-1 is lost" });
  await button.tap();
  const panel = desk.page.getByRole("region", { name: /Ada, PHONE-1: lost/ });
  await panel.waitFor();
  const text = await panel.innerText();
  assert.match(text, /2 meters, (2|1) of them still open|none of them open/);
  await desk.page.getByText("No handheld is enrolled that is not lost.").waitFor();
  await panel.getByText(/none of them open any more/).waitFor({ timeout: PATIENCE_MS });
  await assertAccessible(desk.page);
  const { leases } = (await command("field", "status")) as FieldReport;
  assert.deepEqual(
    leases.map(({ state, meters }) => [state, meters.map(({ rotatedAt }) => rotatedAt !== undefined)]),
    [["lost", [true, true]]],
  );
  // What the phone still has opens nothing: the meter refuses it, and says so.
  const { page } = field;
  const [{ meter = "" } = {}] = leases[0]?.meters ?? [];
  await using bridge = await startBridge(addressOf(meter));
  await page.getByLabel("Port of the bridge").fill(bridge.port);
  await page.locator(`#read-${meter}`).tap();
  await page
    .locator("#notice")
    .filter({ hasNotText: WAITING })
    .filter({ hasNotText: /is read/ })
    .waitFor();
  const journal = await page.evaluate(() => document.querySelector("#notice")?.textContent ?? "");
  assert.doesNotMatch(journal, /is read/);
});

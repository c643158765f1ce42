import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeRequest, toPem } from "@meterkeep/pki";
import type { Page } from "playwright-core";
import { freshKey } from "../../packages/custody/src/testing/test-pki.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser } from "./chromium.ts";

interface Found {
  readonly authority: string;
  readonly serial: string;
  readonly keyIdentifier: string;
}

let meterkeep: Meterkeep;
let stateDirectory: string;
let browser: TestBrowser;

before(async () => {
  stateDirectory = makeStateDirectory();
  meterkeep = await startMeterkeep({ meters: 4, stateDirectory });
  browser = await openBrowser({ locale: "en-GB" });
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
  rmSync(stateDirectory, { recursive: true, force: true });
});

async function pki<T>(...args: readonly string[]): Promise<T> {
  const { status, stdout, stderr } = await meterkeep.command(["pki", ...args, "--json"]);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Has a technician's key certified, and gives what the registry has of it. */
async function technician(name: string, issuing: string): Promise<Found> {
  const file = join(stateDirectory, `${name}.csr`);
  writeFileSync(file, toPem("CERTIFICATE REQUEST", makeRequest(freshKey(), [])));
  await pki("issue", issuing, file, "--profile", "technician", "--subject", `CN=${name}`);
  const [found] = await pki<Found[]>("search", "--subject", `CN=${name}`);
  assert.ok(found);
  return found;
}

/** Fills in the form, and waits for the rows, or the word that there is none. */
async function search(page: Page, text: string, state: string): Promise<readonly string[]> {
  const panel = page.getByRole("region", { name: "Certificates", exact: true });
  await panel.getByLabel("Meter, serial number, key or subject").fill(text);
  await panel.getByLabel("State").selectOption(state);
  const answered = page.waitForResponse((response) => response.url().includes("/pki/certificates?"));
  await panel.getByRole("button", { name: "Search" }).click();
  await answered;
  const rows = panel.getByRole("row");
  await rows.nth(1).or(panel.getByText("No certificate is like that.")).waitFor();
  return (await rows.allInnerTexts()).slice(1);
}

test("certificates are found by key, serial number and state", async () => {
  const { authorities } = await pki<{ authorities: { authority: string; profile: string }[] }>("authorities");
  const issuing = authorities.find(({ profile }) => profile === "issuing-p256")!.authority;
  const [kept, gone] = [await technician("anna-kept", issuing), await technician("bert-gone", issuing)];
  await pki("revoke", gone.authority, gone.serial, "--reason", "cessationOfOperation");
  const { signIn } = meterkeep;
  assert.ok(signIn !== undefined);
  const { page, complaints } = await browser.open(signIn);
  await page.getByRole("heading", { level: 1 }).filter({ hasText: "home" }).waitFor();
  await page.goto(`${meterkeep.address}/certificates`);
  const isOnly = (rows: readonly string[], { serial }: Found): void => {
    assert.equal(rows.length, 1, rows.join("\n"));
    assert.ok(rows[0]?.includes(serial), rows.join());
  };
  isOnly(await search(page, kept.keyIdentifier, ""), kept);
  isOnly(await search(page, gone.keyIdentifier.toUpperCase(), "revoked"), gone);
  isOnly(await search(page, kept.serial, "valid"), kept);
  assert.deepEqual(await search(page, kept.keyIdentifier, "revoked"), []);
  assert.deepEqual(await search(page, gone.keyIdentifier, "valid"), []);
  const revoked = await search(page, "", "revoked");
  assert.ok(revoked.some((row) => row.includes(gone.serial) && row.includes("revoked: cessationOfOperation")));
  assert.ok(revoked.every((row) => /\brevoked\b/.test(row) && !row.includes(kept.serial)));
  const valid = await search(page, "CN=", "valid");
  assert.ok(valid.some((row) => row.includes(kept.serial)) && valid.every((row) => !row.includes(gone.serial)));
  assert.deepEqual(complaints, []);
  await page.close();
});

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { openBrowser, type TestBrowser } from "./chromium.ts";

let meterkeep: Meterkeep;
let browser: TestBrowser;

before(async () => {
  meterkeep = await startMeterkeep({ meters: 20 });
  browser = await openBrowser({ locale: "en-GB" });
  const { page } = await browser.open(meterkeep.signIn ?? "");
  await page.locator(".meter-table a.evidence-link").first().waitFor();
  await page.close();
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await meterkeep?.stop();
});

/** Opens up to `count` of the links, spread over all of them, and sees that each shows octets; nothing is left unopened in between. */
async function opensEvidence(page: Page, links: Locator, count: number): Promise<number> {
  const addresses = new Set(await links.evaluateAll((all) => all.map((link) => link.getAttribute("href") ?? "")));
  const step = Math.max(1, Math.floor(addresses.size / count));
  const sample = [...addresses].filter((_, index) => index % step === 0).slice(0, count);
  for (const address of sample) {
    await page.goto(new URL(address, page.url()).href);
    const evidence = page.getByRole("dialog", { name: "Evidence" });
    await evidence.getByRole("tab", { name: "On the wire" }).click();
    await evidence
      .getByText(/0000\s+[0-9A-F]{2} [0-9A-F]{2}/)
      .first()
      .waitFor();
    assert.match(await evidence.innerText(), /Trust then/, address);
  }
  return sample.length;
}

test("every measured number in the town's list opens the octets it rests on", async () => {
  const { page, complaints } = await browser.open(meterkeep.address);
  await page.locator(".meter-table a.evidence-link").first().waitFor();
  const numbers = page.locator(".meter-table td.number");
  const bare = await numbers.evaluateAll((cells) =>
    cells.filter((cell) => cell.textContent !== "–" && cell.querySelector("a.evidence-link") === null).map(String),
  );
  assert.deepEqual(bare, []);
  assert.ok((await opensEvidence(page, page.locator(".meter-table a.evidence-link"), 5)) >= 3);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("every reading and interval on a meter's page opens the octets it rests on", async () => {
  const { page, complaints } = await browser.open(meterkeep.address);
  await page.locator(".meter-table tbody tr:has(a.evidence-link) th a").first().click();
  await page.waitForURL(/\/meters\//);
  const registers = page.locator("section[aria-labelledby=registers-title]");
  await registers.locator("tbody tr").first().waitFor();
  assert.equal(
    await registers.locator("td.number a.evidence-link").count(),
    await registers.locator("tbody tr").count(),
  );
  const intervals = page.locator("section[aria-labelledby=intervals-title]");
  const slider = intervals.getByRole("slider");
  await slider.waitFor();
  const seen = new Set<string | null>();
  for (const key of ["End", "ArrowLeft", "Home"]) {
    await slider.press(key);
    seen.add(await intervals.locator(".chart-readout time, .chart-readout strong").first().innerText());
    assert.equal(await intervals.locator(".chart-readout a.evidence-link").count(), 1);
  }
  assert.equal(seen.size, 3, "the slider moves from interval to interval");
  assert.ok((await opensEvidence(page, page.locator("main a.evidence-link"), 5)) >= 2);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("who pushes and is nobody we know is shown as a stranger, in a storm of them too, and becomes no meter", async () => {
  const { page } = await browser.open(meterkeep.address);
  await page.locator("a.home").first().waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  const systemTitle = Buffer.from("5A5A5A0000C0FFEE", "hex");
  const meters = await page.locator(".meter-table tbody tr").count();

  // From the sixth on of one address there is no event of each: it is in a storm that this one must be seen.
  for (let n = 1; n <= 6; n += 1) await push(strangersTelegram(Buffer.from(`5A5A5A0000C0FF0${n}`, "hex")));
  await push(strangersTelegram(systemTitle));

  const strangers = page.getByRole("region", { name: "Strangers at the push port" });
  await strangers.getByText("5A5A5A0000C0FFEE", { exact: true }).waitFor();
  const line = strangers.getByRole("listitem").filter({ hasText: "5A5A5A0000C0FFEE" });
  assert.match(await line.innerText(), /from 127\.0\.0\.1 over TCP, 1 telegram refused \(unknown meter\), last at/);
  assert.match(await strangers.locator(".command").innerText(), /meterkeep meter add/);
  assert.equal(await page.locator(".meter-table tbody tr").count(), meters);
  assert.equal((await page.request.get(`${meterkeep.address}/api/v1/meters/5A5A5A0000C0FFEE`)).status(), 404);
  // Meters of the town that pushed before their shipment came in are strangers no more.
  assert.doesNotMatch(await strangers.innerText(), /4D4B56/);
  await page.close();
});

/** General-glo-ciphering of a meter that was never shipped, in the wrapper. */
function strangersTelegram(systemTitle: Uint8Array): Buffer {
  const content = Buffer.concat([Buffer.from([0x30, 0, 0, 0, 1]), randomBytes(24)]);
  const apdu = Buffer.concat([Buffer.from([0xdb, 8]), systemTitle, Buffer.from([content.length]), content]);
  const header = Buffer.alloc(8);
  [1, 1, 1, apdu.length].forEach((field, index) => {
    header.writeUInt16BE(field, index * 2);
  });
  return Buffer.concat([header, apdu]);
}

function push(telegram: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(meterkeep.ports.push, "127.0.0.1", () => socket.end(telegram));
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.resume();
  });
}

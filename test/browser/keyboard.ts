/// <reference lib="dom" />
import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";
import type { CDPSession, Page } from "playwright-core";

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

/** A person's device, as one tab sees it. */
export interface Device {
  readonly devtools: CDPSession;
  readonly authenticatorId: string;
}

/** Gives a tab a device. The browser keeps one for each tab, so what another tab's holds is copied where it is the same person's. */
export async function plugIn(page: Page, from?: Device): Promise<Device> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options: AUTHENTICATOR });
  if (from !== undefined) {
    const { credentials } = await from.devtools.send("WebAuthn.getCredentials", {
      authenticatorId: from.authenticatorId,
    });
    for (const credential of credentials)
      await devtools.send("WebAuthn.addCredential", { authenticatorId, credential });
  }
  return { devtools, authenticatorId };
}

/** Goes on with Tab until something of that name has the focus. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 160; presses += 1) {
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

/** Goes there with Tab, and presses a key. */
export async function press(page: Page, name: RegExp, key = "Enter"): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press(key);
}

/** Goes there with Tab, and types. */
export async function type(page: Page, name: RegExp, text: string): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.type(text);
}

/** Signs in by a link, and makes a passkey on a device of one's own. */
export async function arrive(page: Page, link: string): Promise<Device> {
  const device = await plugIn(page);
  await page.goto(link);
  await page.getByRole("heading", { level: 1 }).filter({ hasText: "home" }).waitFor();
  await page.goto(new URL("/account", link).href);
  await page.getByRole("button", { name: "Add a passkey" }).waitFor();
  await press(page, /^Add a passkey/);
  // A token for machines may stand there unused as well.
  await page.getByText(/^added .+, not used yet/).waitFor();
  return device;
}

/** No rule for accessible pages is broken, and nothing scrolls sideways. */
export async function accessible(page: Page): Promise<void> {
  // What the head of the page half covers would count as small.
  await page.evaluate(() => window.scrollTo(0, 0));
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  assert.deepEqual(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n  ")}`),
    [],
  );
  assert.equal(await sideways(page), 0, "the page scrolls sideways");
}

/** How far a page scrolls sideways, in CSS pixels. */
export function sideways(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

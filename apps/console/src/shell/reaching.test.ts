import assert from "node:assert/strict";
import { test } from "node:test";
import { reaching } from "./reaching.ts";

test("commands that speak with Meterkeep name its state directory, others stay as they are", () => {
  const options = " --state '/srv/my town'";
  for (const [text, typed] of [
    ["npx meterkeep status", "npx meterkeep status --state '/srv/my town'"],
    ["npx meterkeep meter show 4D", "npx meterkeep meter show 4D --state '/srv/my town'"],
    ["npm start -- --listen 0.0.0.0", "npm start -- --listen 0.0.0.0 --state '/srv/my town'"],
    ["npm start", "npm start -- --state '/srv/my town'"],
    ["npx meterkeep decode a.hex", "npx meterkeep decode a.hex"],
    ["npx meterkeep status --state /a", "npx meterkeep status --state /a"],
    ["npm ci", "npm ci"],
  ] as const) {
    assert.equal(reaching(text, options), typed);
    assert.equal(reaching(text, ""), text);
  }
});

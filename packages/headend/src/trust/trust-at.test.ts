import assert from "node:assert/strict";
import { test } from "node:test";
import { isDecisive, type TrustPeriod, trustAt } from "./trust-at.ts";

const HISTORY: readonly TrustPeriod[] = [
  { effective: 100, state: "trusted" },
  { effective: 500, state: "degraded" },
  { effective: 300, state: "quarantined" },
];

test("what was captured before the takeover was proven is held for ever", () => {
  assert.equal(trustAt(HISTORY, 99), "held");
  assert.equal(trustAt([], 1_000_000), "held");
});

test("a capture has the trust that was in force at that instant", () => {
  assert.equal(trustAt(HISTORY.slice(0, 2), 100), "trusted");
  assert.equal(trustAt(HISTORY.slice(0, 2), 499), "trusted");
  assert.equal(trustAt(HISTORY.slice(0, 2), 500), "degraded");
});

test("a lowering that is dated back takes in what was captured since", () => {
  assert.equal(trustAt(HISTORY, 299), "trusted");
  assert.equal(trustAt(HISTORY, 300), "quarantined");
  assert.equal(trustAt(HISTORY, 600), "quarantined");
});

test("decisions use what was trusted then and is trusted now, nothing else", () => {
  assert.equal(isDecisive("trusted", "trusted", "authenticated", "undisputed"), true);
  assert.equal(isDecisive("trusted", "trusted", "confidential", "undisputed"), false);
  assert.equal(isDecisive("trusted", "trusted", "none", "undisputed"), false);
  assert.equal(isDecisive("provisional", "trusted", "authenticated", "undisputed"), false);
  assert.equal(isDecisive("held", "trusted", "authenticated", "undisputed"), false);
  assert.equal(isDecisive("trusted", "quarantined", "authenticated", "undisputed"), false);
  assert.equal(isDecisive("trusted", "trusted", "authenticated", "accepted"), true);
  assert.equal(isDecisive("trusted", "trusted", "authenticated", "disputed"), false);
  assert.equal(isDecisive("trusted", "trusted", "authenticated", "rejected"), false);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { trustScore } from "./finding.ts";
import { SCORE_LIMITS } from "./rules.ts";

const DAY = 86_400_000;
const now = 20_000 * DAY;
const daily = (rule: string, severity: "warn" | "alert", each = 1) =>
  Array.from({ length: 60 * each }, (_, n) => ({
    rule,
    severity,
    confidence: 1,
    at: now - Math.floor(n / each) * DAY,
  }));

test("a habit that one rule warns of each day leaves a meter believed; two that warn, or one that alerts, do not", () => {
  assert.equal(trustScore(daily("P-4", "warn"), now), 60);
  assert.ok(trustScore([...daily("P-4", "warn"), ...daily("P-6", "warn")], now) < SCORE_LIMITS.disputed);
  assert.equal(trustScore(daily("P-1", "alert"), now), 0);
});

test("of a rule the gravest finding of each day counts, and half of it is left after seven days", () => {
  const often = daily("P-3", "alert", 40).filter(({ at }) => at === now);
  assert.equal(trustScore(often, now), 75);
  assert.equal(trustScore(often, now + 7 * DAY), 87.5);
});

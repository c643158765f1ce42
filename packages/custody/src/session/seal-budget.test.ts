import assert from "node:assert/strict";
import { test } from "node:test";
import { EntryBursts } from "../evidence/entry-bursts.ts";
import { DEFAULT_SEAL_BUDGET, SealBudget } from "./seal-budget.ts";

const CALLER = { name: "head-end", role: "head-end" } as const;
const PLACE = { utility: "u", island: "i", systemTitle: "5453540000000007", setup: 0 };

test("a restart gives an eighth of a budget and not all of it, and the rest comes with time", async () => {
  let now = 1_795_000_000_000;
  const start = () =>
    new SealBudget(DEFAULT_SEAL_BUDGET, new EntryBursts({ submit: async () => undefined }, () => now), () => now);
  const budget = start();
  assert.equal(await budget.spend(CALLER, PLACE, 512), undefined);
  assert.equal((await budget.spend(CALLER, PLACE, 1))?.code, "seal-budget-exhausted");
  now += 128_000;
  assert.equal(await budget.spend(CALLER, PLACE, 4096), undefined);
  const again = start();
  assert.equal((await again.spend(CALLER, PLACE, 513))?.code, "seal-budget-exhausted");
  now += 60_000;
  // A meter that nobody asked for since the start is no exception.
  const other = { ...PLACE, systemTitle: "5453540000000008" };
  assert.equal((await again.spend(CALLER, other, 4096))?.code, "seal-budget-exhausted");
  assert.equal(await again.spend(CALLER, other, 512 + 60 * 32), undefined);
});

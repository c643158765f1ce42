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
  const own = { caller: CALLER, place: PLACE, bucket: budget.hold(CALLER, PLACE) };
  assert.equal(await budget.spend(own, 512), undefined);
  assert.equal((await budget.spend(own, 1))?.code, "seal-budget-exhausted");
  now += 128_000;
  assert.equal(await budget.spend(own, 4096), undefined);
  const again = start();
  const anew = { ...own, bucket: again.hold(CALLER, PLACE) };
  assert.equal((await again.spend(anew, 513))?.code, "seal-budget-exhausted");
  now += 60_000;
  // A meter that nobody asked for since the start is no exception.
  const place = { ...PLACE, systemTitle: "5453540000000008" };
  const other = { caller: CALLER, place, bucket: again.hold(CALLER, place) };
  assert.equal((await again.spend(other, 4096))?.code, "seal-budget-exhausted");
  assert.equal(await again.spend(other, 512 + 60 * 32), undefined);
});

test("two sessions of a principal with a meter spend one budget, which a sweep and the end of one of them leave as it is", async () => {
  let now = 1_795_000_000_000;
  const size = { burst: 100, perSecond: 1 };
  const budget = new SealBudget(size, new EntryBursts({ submit: async () => undefined }, () => now), () => now);
  now += 100_000;
  const [one, other] = [0, 1].map(() => ({ caller: CALLER, place: PLACE, bucket: budget.hold(CALLER, PLACE) }));
  assert.ok(one && other);
  // Full, and held: nobody else's bucket may take its number.
  budget.sweep();
  const place = { ...PLACE, systemTitle: "5453540000000008" };
  const third = { caller: CALLER, place, bucket: budget.hold(CALLER, place) };
  assert.equal(await budget.spend(one, 60), undefined);
  budget.letGo(one);
  budget.sweep();
  assert.equal((await budget.spend(other, 41))?.code, "seal-budget-exhausted");
  assert.equal(await budget.spend(other, 40), undefined);
  assert.equal(await budget.spend(third, 100), undefined);
  budget.letGo(other);
  now += 50_000;
  budget.sweep();
  // Let go of by all and not full again: it is still known by its name.
  const later = { ...one, bucket: budget.hold(CALLER, PLACE) };
  assert.equal((await budget.spend(later, 51))?.code, "seal-budget-exhausted");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Meter } from "../inventory/meter.ts";
import type { MemoryOf } from "../operation/memory.ts";

/** What every memory of operations keeps to. */
export function meterMemoryContract(
  name: string,
  open: () => Promise<AsyncDisposable & { readonly memoryOf: MemoryOf; readonly meters: readonly Meter[] }>,
): void {
  test(`${name}: what was kept of a meter is found again, under its topic and for no other meter`, async () => {
    await using kept = await open();
    const [one, other] = kept.meters.map((meter) => kept.memoryOf(meter));
    assert.ok(one && other);
    assert.equal(await one.load("image"), undefined);
    await one.save("image", { sha384: "ab", block: 7 });
    await one.save("clock", [1, 2]);
    assert.deepEqual(await one.load("image"), { sha384: "ab", block: 7 });
    assert.deepEqual(await one.load("clock"), [1, 2]);
    assert.equal(await other.load("image"), undefined);
  });

  test(`${name}: what is kept again replaces, and what is forgotten is gone`, async () => {
    await using kept = await open();
    const memory = kept.memoryOf(kept.meters[0] as Meter);
    await memory.save("image", { block: 1 });
    await memory.save("image", { block: 2 });
    assert.deepEqual(await memory.load("image"), { block: 2 });
    await memory.save("image", undefined);
    await memory.save("image", undefined);
    assert.equal(await memory.load("image"), undefined);
  });
}

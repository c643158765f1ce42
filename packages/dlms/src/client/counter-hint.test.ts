import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CLIENTS, managementConfig, openTestSession, type TestMeter, testMeter } from "../testing/meter.test.ts";
import { type CounterStore, HINT_BOUNDS, judgeCounterHint, openInStep } from "./counter-hint.ts";
import type { FrameCounters } from "./protection.ts";

/** A store in memory. */
function storeAt(start: number): CounterStore & { readonly next: () => number } {
  let next = start;
  let tried: number | undefined;
  const counted = (take: (count: number) => number): FrameCounters => ({ take });
  return {
    next: () => next,
    known: () => ({ next, daysSinceContact: 1 }),
    counters: () =>
      counted((count) => {
        next += count;
        return next - count;
      }),
    tentative(from) {
      tried = from;
      return counted((count) => {
        tried = (tried ?? from) + count;
        return tried - count;
      });
    },
    confirm() {
      next = Math.max(next, tried ?? next);
    },
  };
}

const openWith = (meter: TestMeter) => (frameCounters: FrameCounters) =>
  openTestSession(meter, CLIENTS.management, managementConfig(), { frameCounters });

test("a client that is behind catches up with the hint, and keeps it once it has proven right", async () => {
  const meter = testMeter();
  meter.setup.counters.accept(4999);
  const store = storeAt(100);
  const session = await openInStep(store, openWith(meter), async () => 4999);
  assert.equal(session.negotiated.conformance.includes("get"), true);
  assert.ok(store.next() >= 5000);
});

test("a hint that is too far ahead, or behind a counter that is refused, moves nothing and is told", async () => {
  for (const [hint, reason] of [
    [5_000_000, "too-far"],
    [7, "behind"],
  ] as const) {
    const meter = testMeter();
    meter.setup.counters.accept(4999);
    const store = storeAt(100);
    await assert.rejects(
      openInStep(store, openWith(meter), async () => hint),
      { code: "counter-hint-refused", reason },
    );
    assert.ok(store.next() < 200);
  }
});

test("a refusal that has nothing to do with counters is not asked about", async () => {
  const meter = testMeter();
  const asked = () => Promise.reject(new Error("the meter is not asked"));
  const wrong = { authentication: { kind: "lls", password: Uint8Array.of(1) } } as const;
  const open = (frameCounters: FrameCounters) => openTestSession(meter, CLIENTS.reader, wrong, { frameCounters });
  await assert.rejects(openInStep(storeAt(100), open, asked), { code: "association-rejected" });
});

test("a hint is never believed beyond its bounds, and never takes a counter back", () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(400), (hint, next, daysSinceContact) => {
      const verdict = judgeCounterHint(hint, { next, daysSinceContact });
      if (verdict.kind !== "ahead") return;
      assert.ok(verdict.next > next);
      assert.ok(verdict.next <= next + HINT_BOUNDS.counters + HINT_BOUNDS.countersADay * daysSinceContact + 1);
    }),
  );
});

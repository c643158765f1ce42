import assert from "node:assert/strict";
import { test } from "node:test";
import { clockOperation } from "@meterkeep/headend";
import { type OperationBench, withOperationBench } from "../src/operation-bench.ts";

const QUARTER_MS = 900_000;

/** To the middle of a quarter hour. */
function toQuietTime({ custody }: OperationBench): void {
  custody.now = Math.ceil(custody.now / QUARTER_MS) * QUARTER_MS + 450_000;
}

const found = ({ readBack: [fact] }: { readonly readBack: readonly { readonly found: string }[] }) =>
  Number.parseFloat(fact?.found ?? "");

for (const profile of ["idis-p2", "dsmr-5", "is15959", "metcom-mcs301", "landis-gyr-e350"])
  test(`a clock of ${profile} that is a little off is corrected under a manifest, and read back`, () =>
    withOperationBench({ profile }, async (at) => {
      toQuietTime(at);
      at.bench.meter.rollClock(40);
      const before = await at.preview(clockOperation, { mostSeconds: 60 });
      assert.equal(before.changes, true);
      assert.match(before.sentence, /40 s fast/);
      const result = await at.run(clockOperation, { mostSeconds: 60 });
      assert.equal(result.outcome, "done", result.sentence);
      assert.ok(Math.abs(found(result)) < 2, result.sentence);
      const quarter = Math.floor(at.custody.now / QUARTER_MS) * QUARTER_MS;
      const moved = [{ from: quarter, to: quarter + QUARTER_MS }];
      assert.deepEqual(result.read?.uncovered, moved, "the quarter hour that it was moved in is read again");
      assert.equal(result.read?.clockSet, undefined, "by so little it dates nothing amiss");
      const left = result.read?.clockOffsetSeconds ?? 40;
      assert.ok(Math.abs(left) < 2, "what it pushes next is not disputed for what its clock was");
      const [fact] = result.readBack;
      assert.equal(fact?.evidence.protection, "authenticated");
      assert.equal(fact?.before, "40.0 s");
      assert.equal((await at.run(clockOperation, { mostSeconds: 60 })).outcome, "unchanged");
    }));

test("a clock is not moved further than was approved, and one that is far off is an incident", () =>
  withOperationBench({}, async (at) => {
    toQuietTime(at);
    at.bench.meter.rollClock(-300);
    const beyond = await at.run(clockOperation, { mostSeconds: 60 });
    assert.deepEqual([beyond.outcome, beyond.findings.length], ["not-taken", 0]);
    assert.equal(found(beyond), -300);
    const done = await at.run(clockOperation, { mostSeconds: 900 });
    assert.equal(done.outcome, "done");
    const { offsetSeconds, isIncident, seenAt = 0, shown = 0 } = done.read?.clockSet ?? {};
    assert.deepEqual(
      [Math.round(offsetSeconds ?? 0), isIncident],
      [-300, false],
      "of what it dated and has not given yet",
    );
    assert.equal(Math.round((shown - seenAt) / 1000), -300);
    const lost = await at.run(clockOperation, { mostSeconds: 900 });
    assert.deepEqual(
      [lost.outcome, lost.read?.uncovered, lost.read?.clockSet],
      ["unchanged", done.read?.uncovered, done.read?.clockSet],
      "a run after one that was lost behind its correction tells of it as well",
    );
    at.bench.meter.rollClock(-1000);
    const incident = await at.run(clockOperation, { mostSeconds: 900 });
    assert.equal(incident.outcome, "not-taken");
    assert.deepEqual(
      incident.findings.map(({ code }) => code),
      ["clock-incident"],
    );
  }));

test("a clock is let be around the ends of intervals, by its own time and by the right one", () =>
  withOperationBench({}, async (at) => {
    at.custody.now = Math.ceil(at.custody.now / QUARTER_MS) * QUARTER_MS + QUARTER_MS - 60_000;
    at.bench.meter.rollClock(-30);
    const early = await at.run(clockOperation, { mostSeconds: 60 });
    assert.equal(early.outcome, "not-now");
    const wait = (early.againAt ?? 0) - at.custody.now;
    assert.ok(wait > 180_000 && wait < 240_000, `${wait}`);
    at.custody.now = early.againAt ?? 0;
    assert.equal((await at.run(clockOperation, { mostSeconds: 60 })).outcome, "done");
  }));

test("a clock that needs it often, or now this way and now that, is told, and moved only under a grave approval", () =>
  withOperationBench({}, async (at) => {
    const seen: unknown[] = [];
    for (const [seconds, mostSeconds] of [
      [20, 60],
      [20, 60],
      [20, 60],
      [20, 60],
      [0, 61],
      [-20, 60],
      [0, 61],
    ] as const) {
      toQuietTime(at);
      at.bench.meter.rollClock(seconds);
      const { outcome, findings } = await at.run(clockOperation, { mostSeconds });
      seen.push([outcome, findings.map(({ code }) => code).length]);
    }
    assert.deepEqual(seen, [
      ["done", 0],
      ["done", 0],
      ["done", 0],
      ["not-taken", 1],
      ["done", 1],
      ["not-taken", 2],
      ["done", 2],
    ]);
  }));

test("an answer that is lost after the correction does no harm: the next run looks, and finds it done", () =>
  withOperationBench({}, async (at) => {
    toQuietTime(at);
    at.bench.meter.rollClock(40);
    const run = await at.approve(clockOperation, { mostSeconds: 60 });
    at.mischief = (exchange, moment) => {
      // Two to associate, one to look; the fourth is the shift.
      if (exchange === 4 && moment === "after") throw Object.assign(new Error("lost"), { code: "connection-closed" });
    };
    const lost = await run();
    assert.deepEqual([lost.result, lost.session.outcome], [undefined, "lost"]);
    at.mischief = () => undefined;
    const { result } = await run();
    assert.equal(result?.outcome, "unchanged");
  }));

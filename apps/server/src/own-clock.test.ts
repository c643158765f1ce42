import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnClock } from "./own-clock.ts";

const START = Date.parse("2026-11-22T12:00:00Z");
const HOUR = 3_600_000;

function running() {
  const at = { wall: START, monotonic: 7_000 };
  const clock = new OwnClock(
    () => at.wall,
    () => at.monotonic,
  );
  const pass = (milliseconds: number): void => {
    at.wall += milliseconds;
    at.monotonic += milliseconds;
  };
  return { at, clock, pass };
}

test("a clock that nobody sets is the machine's, and nobody is told", () => {
  const { clock, pass } = running();
  for (let hour = 1; hour <= 48; hour += 1) {
    pass(HOUR);
    assert.equal(clock.now(), START + hour * HOUR);
  }
  assert.deepEqual([clock.warnings, clock.trouble()], [[], undefined]);
});

for (const [way, leap] of [
  ["forward", 24 * HOUR],
  ["back", -24 * HOUR],
] as const)
  test(`MC-08: a clock that leaps ${way} while the head-end runs is not believed, and people are told, until it is right again`, () => {
    const { at, clock, pass } = running();
    pass(HOUR);
    at.wall += leap;
    pass(1_000);
    assert.ok(Math.abs(clock.now() - (START + HOUR + 1_000)) < 5_000, new Date(clock.now()).toISOString());
    assert.match(clock.trouble() ?? "", /^the clock was set by -?864000\d\d ms since the start/);
    const [warning] = clock.warnings;
    assert.equal(warning?.code, "clock-set");
    assert.match(warning?.text ?? "", /set by -?8639\d s|set by -?86400 s/);
    at.wall -= leap;
    pass(HOUR);
    assert.equal(clock.now(), START + 2 * HOUR + 1_000);
    assert.deepEqual([clock.warnings, clock.trouble()], [[], undefined]);
  });

test("a small step is followed as slowly as clocks are slewed, and told", () => {
  const { at, clock, pass } = running();
  at.wall += 30_000;
  pass(1_000);
  assert.ok(clock.now() - START < 3_000);
  assert.deepEqual([clock.warnings.length, clock.trouble()], [1, undefined]);
  pass(24 * HOUR);
  assert.deepEqual([clock.now(), clock.warnings], [at.wall, []]);
});

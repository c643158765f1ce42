import assert from "node:assert/strict";
import { test } from "node:test";
import { DemandRegister } from "../cosem/classes/demand-register.ts";
import { dateTimeAt } from "../data/date-time.ts";
import { Demand, serveDemand } from "./demand.ts";
import { askFor } from "./testing.test.ts";

const START = Date.UTC(2026, 10, 2);
const MINUTE = 60_000;

function demand(numberOfPeriods: number) {
  const time = { now: START };
  const made = new Demand({
    settings: { periodSeconds: 900, numberOfPeriods },
    scalerUnit: { scaler: 0, unit: 27 },
    now: () => time.now,
    localTime: (instant) => dateTimeAt(instant),
  });
  /** So many minutes of a load in W, counted each minute. */
  const draw = (minutes: number, watts: number) => {
    for (let minute = 0; minute < minutes; minute += 1) {
      time.now += MINUTE - 1;
      made.count(watts * 60);
      time.now += 1;
    }
  };
  return {
    made,
    time,
    draw,
    ask: askFor(
      DemandRegister,
      serveDemand<undefined>(() => made),
    ),
  };
}

const value = (shown: unknown) => (shown as { readonly value: number }).value;

test("block demand rises over the period and is kept when it ends", () => {
  const { draw, ask } = demand(1);
  draw(5, 3000);
  assert.equal(value(ask.get("currentAverageValue")), 1000);
  draw(10, 3000);
  assert.equal(value(ask.get("lastAverageValue")), 3000);
  assert.equal(value(ask.get("currentAverageValue")), 0);
  assert.deepEqual(ask.get("captureTime"), dateTimeAt(START + 15 * MINUTE));
  assert.deepEqual(ask.get("startTimeCurrent"), dateTimeAt(START + 15 * MINUTE));
});

test("a sliding demand looks back over its periods, and forgets them over a long pause", () => {
  const { draw, ask, time } = demand(3);
  draw(45, 900);
  assert.equal(value(ask.get("lastAverageValue")), 900);
  draw(15, 1800);
  assert.equal(value(ask.get("lastAverageValue")), 1200);
  time.now += 1000 * 900 * 1000;
  assert.equal(value(ask.get("lastAverageValue")), 0);
  assert.deepEqual(ask.get("captureTime"), dateTimeAt(time.now));
});

test("next_period ends the period at once, reset and another period begin anew", () => {
  const { draw, ask, time } = demand(1);
  draw(5, 3000);
  assert.equal(ask.call("nextPeriod", 0), "success");
  assert.equal(value(ask.get("lastAverageValue")), 1000);
  draw(2, 3000);
  assert.equal(ask.call("reset", 0), "success");
  assert.deepEqual([value(ask.get("lastAverageValue")), value(ask.get("currentAverageValue"))], [0, 0]);
  draw(2, 3000);
  assert.equal(ask.set("period", 300), "success");
  assert.equal(value(ask.get("currentAverageValue")), 0);
  assert.deepEqual(ask.get("startTimeCurrent"), dateTimeAt(time.now));
  assert.equal(ask.set("numberOfPeriods", 0), "other-reason");
  assert.deepEqual(ask.get("scalerUnit"), { scaler: 0, unit: 27 });
});

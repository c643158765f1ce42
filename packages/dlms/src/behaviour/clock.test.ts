import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { Clock } from "../cosem/classes/clock.ts";
import { DAY_OF_MONTH, dateTime } from "../data/date-time.ts";
import { inWindows, matchesDate } from "./calendar-pattern.ts";
import { type ClockSettings, MeterClock, serveClock } from "./clock.ts";

const CENTRAL_EUROPE: ClockSettings = {
  timeZone: -60,
  daylightSavingsBegin: dateTime({
    month: 3,
    dayOfMonth: DAY_OF_MONTH.last,
    dayOfWeek: 7,
    hour: 2,
    minute: 0,
    second: 0,
  }),
  daylightSavingsEnd: dateTime({
    month: 10,
    dayOfMonth: DAY_OF_MONTH.last,
    dayOfWeek: 7,
    hour: 3,
    minute: 0,
    second: 0,
  }),
  daylightSavingsDeviation: 60,
  daylightSavingsEnabled: true,
};

function clockAt(text: string, settings = CENTRAL_EUROPE): MeterClock {
  const now = Date.parse(text);
  return new MeterClock({ now: () => now, settings });
}

test("summer time begins and ends with the last Sundays of March and October", () => {
  for (const [at, isSummer] of [
    ["2026-03-29T00:59:59Z", false],
    ["2026-03-29T01:00:00Z", true],
    ["2026-10-25T00:59:59Z", true],
    ["2026-10-25T01:00:00Z", false],
  ] as const)
    assert.equal(clockAt(at).isSummerTime(Date.parse(at)), isSummer, at);
  const summer = clockAt("2026-07-01T10:00:00Z").time();
  assert.deepEqual([summer.hour, summer.deviation, summer.status], [12, -120, 0x80]);
  const winter = clockAt("2026-12-01T10:00:00Z").time();
  assert.deepEqual([winter.hour, winter.deviation, winter.status], [11, -60, 0]);
});

test("south of the equator summer time goes over the turn of the year", () => {
  const { daylightSavingsBegin, daylightSavingsEnd } = CENTRAL_EUROPE;
  const south = {
    ...CENTRAL_EUROPE,
    daylightSavingsBegin: daylightSavingsEnd,
    daylightSavingsEnd: daylightSavingsBegin,
  };
  assert.equal(clockAt("2026-01-10T00:00:00Z", south).time().deviation, -120);
  assert.equal(clockAt("2026-07-10T00:00:00Z", south).time().deviation, -60);
});

test("a clock that is set runs on from there", () => {
  let now = Date.parse("2026-11-21T06:00:00Z");
  const adjusted: number[] = [];
  const clock = new MeterClock({
    now: () => now,
    settings: CENTRAL_EUROPE,
    onAdjusted: (before, after) => adjusted.push(after - before),
  });
  const time = dateTime({ year: 2026, month: 11, dayOfMonth: 21, hour: 7, minute: 0, second: 42 });
  clock.set(clock.instantOf(time) ?? 0);
  now += 1000;
  assert.equal(new Date(clock.now()).toISOString(), "2026-11-21T06:00:43.000Z");
  assert.deepEqual(adjusted, [42_000]);
});

test("adjusting goes to the nearest minute, quarter and measuring period", () => {
  for (const [unit, result] of [
    ["minute", "2026-11-21T06:08:00.000Z"],
    ["quarter", "2026-11-21T06:15:00.000Z"],
    ["measuring-period", "2026-11-21T06:00:00.000Z"],
  ] as const) {
    const now = Date.parse("2026-11-21T06:07:31Z");
    const clock = new MeterClock({ now: () => now, settings: CENTRAL_EUROPE, measuringPeriodSeconds: 3600 });
    clock.adjustToNearest(unit);
    assert.equal(new Date(clock.now()).toISOString(), result);
  }
});

test("a preset time is taken once, and only within its interval", () => {
  const clock = clockAt("2026-11-21T06:00:00Z");
  const at = (hour: number) => dateTime({ year: 2026, month: 11, dayOfMonth: 21, hour, minute: 0, second: 0 });
  assert.equal(clock.adjustToPreset(), false);
  assert.ok(clock.preset(at(9), at(8), at(10)));
  assert.equal(clock.adjustToPreset(), false, "it is 7 o'clock");
  assert.ok(clock.preset(at(9), at(6), at(10)));
  assert.ok(clock.adjustToPreset());
  assert.equal(clock.time().hour, 9);
  assert.equal(clock.adjustToPreset(), false);
  assert.equal(clock.preset(dateTime({}), at(6), at(10)), false);
});

test("served, it refuses what is no time and shifts of more than fifteen minutes", () => {
  const clock = clockAt("2026-11-21T06:00:00Z");
  const served = serveClock<undefined>(() => clock);
  const context = { logicalName: "0.0.1.0.0.255", association: "management", clientSap: 1 } as const;
  const set = (value: Parameters<typeof dateTime>[0]) =>
    served.attributes[2]?.write(new Reader(encode(Clock.attributes.time.codec, dateTime(value))), undefined, context);
  assert.equal(set({ year: 2026, month: 13, dayOfMonth: 1, hour: 0, minute: 0, second: 0 }), "other-reason");
  assert.equal(set({ year: 2026, month: 12, dayOfMonth: 1, hour: 0, minute: 0, second: 0 }), "success");
  assert.equal(clock.time().month, 12);
  const shift = (seconds: number) =>
    served.methods[6]?.invoke(
      new Reader(encode(Clock.methods.shiftTime.parameter, seconds)),
      new Writer(),
      undefined,
      context,
    );
  assert.equal(shift(901), "other-reason");
  assert.equal(shift(-900), "success");
  assert.equal(clock.time().month, 11);
});

test("patterns mean days, and windows repeat", () => {
  const day = { year: 2026, month: 11, dayOfMonth: 29, dayOfWeek: 7 };
  const any = { year: undefined, month: undefined, dayOfMonth: undefined, dayOfWeek: undefined };
  assert.ok(matchesDate({ ...any, dayOfMonth: DAY_OF_MONTH.last, dayOfWeek: 7 }, day));
  assert.ok(!matchesDate({ ...any, dayOfMonth: DAY_OF_MONTH.last }, day));
  assert.ok(matchesDate({ ...any, dayOfMonth: DAY_OF_MONTH.secondLast }, day));
  assert.ok(matchesDate({ ...any, dayOfMonth: 23, dayOfWeek: 7 }, day));
  assert.ok(matchesDate({ ...any, dayOfWeek: 7 }, day));
  assert.ok(!matchesDate({ ...any, year: 2025 }, day));
  const night = [
    { startTime: dateTime({ hour: 1, minute: 0, second: 0 }), endTime: dateTime({ hour: 5, minute: 0, second: 0 }) },
  ];
  const at = (hour: number) => dateTime({ year: 2026, month: 11, dayOfMonth: 29, hour, minute: 30, second: 0 });
  assert.deepEqual(
    [0, 1, 4, 5].map((hour) => inWindows(night, at(hour))),
    [false, true, true, false],
  );
  assert.ok(inWindows([], at(12)));
});

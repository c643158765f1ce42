import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityCalendar } from "../cosem/classes/activity-calendar.ts";
import { cosemDate, cosemTime, dateTime, dateTimeAt, instantOf } from "../data/date-time.ts";
import { type CalendarTables, type SpecialDays, serveActivityCalendar, TariffCalendar } from "./activity-calendar.ts";
import { askFor } from "./testing.test.ts";

const name = (text: string) => new TextEncoder().encode(text);
const week = (text: string, working: number, free: number) => ({
  weekProfileName: name(text),
  monday: working,
  tuesday: working,
  wednesday: working,
  thursday: working,
  friday: working,
  saturday: free,
  sunday: free,
});
const day = (dayId: number, ...starts: (readonly [hour: number, script: number])[]) => ({
  dayId,
  daySchedule: starts.map(([hour, scriptSelector]) => ({
    startTime: cosemTime({ hour, minute: 0, second: 0 }),
    scriptLogicalName: "0.0.10.0.100.255",
    scriptSelector,
  })),
});
const tables: CalendarTables = {
  calendarName: name("A"),
  seasonProfile: [
    { seasonProfileName: name("summer"), seasonStart: dateTime({ month: 4, dayOfMonth: 1 }), weekName: name("S") },
    { seasonProfileName: name("winter"), seasonStart: dateTime({ month: 10, dayOfMonth: 1 }), weekName: name("W") },
  ],
  weekProfileTable: [week("S", 1, 3), week("W", 2, 3)],
  dayProfileTable: [day(1, [0, 1], [6, 2]), day(2, [0, 1], [7, 2], [21, 1]), day(3, [0, 1])],
};

function calendarOf(specialDays: SpecialDays = []) {
  const ran: number[] = [];
  const calendar = new TariffCalendar({
    active: tables,
    passive: { ...tables, calendarName: name("B"), dayProfileTable: [day(1, [0, 9]), day(2, [0, 9]), day(3, [0, 9])] },
    specialDays: () => specialDays,
    run: ({ scriptSelector }) => ran.push(scriptSelector),
    localTime: (instant) => dateTimeAt(instant),
    instantOf: (time) => instantOf(time, 0),
  });
  const at = (text: string) => {
    calendar.tick(Date.parse(`${text}Z`));
    return ran.splice(0);
  };
  return {
    calendar,
    at,
    ask: askFor(
      ActivityCalendar,
      serveActivityCalendar<undefined>(() => calendar),
    ),
  };
}

test("the day profile follows season and weekday, and each action runs once", () => {
  const { at } = calendarOf();
  assert.deepEqual(at("2026-11-20T06:59:00"), [1], "what is in force at the start runs");
  assert.deepEqual(at("2026-11-20T07:00:00"), [2]);
  assert.deepEqual(at("2026-11-20T12:00:00"), []);
  assert.deepEqual(at("2026-11-20T21:00:01"), [1]);
  assert.deepEqual(at("2026-11-21T10:00:00"), [1], "a Saturday");
  assert.deepEqual(at("2027-02-01T08:00:00"), [2], "the winter that began in the year before");
  assert.deepEqual(at("2027-07-01T06:30:00"), [2], "summer");
});

test("special days have day profiles of their own", () => {
  const { calendar } = calendarOf([{ index: 1, specialDayDate: cosemDate({ month: 12, dayOfMonth: 25 }), dayId: 3 }]);
  assert.equal(calendar.dayIdAt(dateTimeAt(Date.UTC(2026, 11, 25))), 3);
  assert.equal(calendar.dayIdAt(dateTimeAt(Date.UTC(2026, 11, 24))), 2);
});

test("the passive calendar takes over by method and at its time, and only it can be written", () => {
  const { at, ask } = calendarOf();
  assert.equal(ask.set("calendarNameActive", name("X")), "read-write-denied");
  assert.equal(ask.set("calendarNamePassive", name("C")), "success");
  assert.deepEqual(at("2026-11-20T08:00:00"), [2]);
  const time = dateTime({ year: 2026, month: 11, dayOfMonth: 20, hour: 9, minute: 0, second: 0, deviation: 0 });
  assert.equal(ask.set("activatePassiveCalendarTime", time), "success");
  assert.deepEqual(at("2026-11-20T08:59:59"), []);
  assert.deepEqual(at("2026-11-20T09:00:00"), [9]);
  assert.deepEqual(ask.get("calendarNameActive"), name("C"));
  assert.equal(ask.call("activatePassiveCalendar"), "success");
  assert.deepEqual(ask.get("calendarNameActive"), name("A"));
});

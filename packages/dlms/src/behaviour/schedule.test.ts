import assert from "node:assert/strict";
import { test } from "node:test";
import { RegisterActivation } from "../cosem/classes/register-activation.ts";
import { SapAssignment } from "../cosem/classes/sap-assignment.ts";
import { Schedule } from "../cosem/classes/schedule.ts";
import { SpecialDaysTable } from "../cosem/classes/special-days-table.ts";
import { bitString } from "../data/bit-string.ts";
import { cosemDate, cosemTime, dateTimeAt } from "../data/date-time.ts";
import type { SpecialDays } from "./activity-calendar.ts";
import { serveRegisterActivation, TariffRegisters } from "./register-activation.ts";
import { type LogicalDevice, serveSapAssignment } from "./sap-assignment.ts";
import { DaySchedule, type ScheduleEntry, serveSchedule } from "./schedule.ts";
import { serveSpecialDays } from "./special-days.ts";
import { askFor } from "./testing.test.ts";

const SCRIPTS = "0.0.10.0.100.255";
/** Monday, 2 November 2026. */
const MONDAY = Date.UTC(2026, 10, 2);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function entry(index: number, hour: number | undefined, more: Partial<ScheduleEntry> = {}): ScheduleEntry {
  return {
    index,
    enable: true,
    scriptLogicalName: SCRIPTS,
    scriptSelector: index,
    switchTime: cosemTime({ hour, minute: 0, second: 0 }),
    validityWindow: 0,
    execWeekdays: bitString("1111100"),
    execSpecialDays: bitString("01"),
    beginDate: cosemDate({}),
    endDate: cosemDate({}),
    ...more,
  };
}

function schedule(entries: readonly ScheduleEntry[], specialDays: SpecialDays = [], until?: number) {
  const ran: number[] = [];
  const made = new DaySchedule({
    entries,
    specialDays: () => specialDays,
    run: ({ scriptSelector }) => ran.push(scriptSelector),
    localTime: (instant) => dateTimeAt(instant),
    ...(until === undefined ? {} : { until }),
  });
  return {
    made,
    ran,
    ask: askFor(
      Schedule,
      serveSchedule<undefined>(() => made),
    ),
  };
}

test("a schedule runs its scripts at their times on their weekdays, once, in the order of time", () => {
  const { made, ran } = schedule([
    entry(2, 6),
    entry(1, 22),
    entry(3, undefined, { execWeekdays: bitString("0000001") }),
  ]);
  made.tick(MONDAY);
  made.tick(MONDAY + 6 * HOUR - 1000);
  assert.deepEqual(ran.splice(0), []);
  made.tick(MONDAY + 6 * HOUR);
  made.tick(MONDAY + 6 * HOUR + 1000);
  assert.deepEqual(ran.splice(0), [2]);
  made.tick(MONDAY + DAY);
  assert.deepEqual(ran.splice(0), [1]);
  made.tick(MONDAY + 5 * DAY - 1000);
  assert.deepEqual(ran.splice(0), [2, 1], "what was due several times runs once");
  made.tick(MONDAY + 6 * DAY - 1000);
  assert.deepEqual(ran.splice(0), [], "nothing on Saturday");
  for (let hour = 0; hour < 24; hour += 1) made.tick(MONDAY + 6 * DAY + hour * HOUR);
  assert.deepEqual(ran.splice(0), Array(24).fill(3), "an hour left open is every hour");
});

test("on a special day only what names it runs, and dates bound an entry", () => {
  const days = [{ index: 1, specialDayDate: cosemDate({ month: 11, dayOfMonth: 3 }), dayId: 1 }];
  const { made, ran } = schedule(
    [
      entry(1, 6, { execSpecialDays: bitString("10") }),
      entry(2, 7),
      entry(3, 8, { beginDate: cosemDate({ year: 2026, month: 11, dayOfMonth: 4 }) }),
      entry(4, 9, { endDate: cosemDate({ year: 2026, month: 11, dayOfMonth: 2 }) }),
    ],
    days,
  );
  made.tick(MONDAY);
  made.tick(MONDAY + DAY);
  assert.deepEqual(ran.splice(0), [1, 2, 4]);
  made.tick(MONDAY + 2 * DAY);
  assert.deepEqual(ran.splice(0), [2]);
  made.tick(MONDAY + 3 * DAY);
  assert.deepEqual(ran.splice(0), [1, 2, 3]);
});

test("after a power failure what was missed runs while its validity window is open", () => {
  const entries = [
    entry(1, 6),
    entry(2, 7, { validityWindow: 180 }),
    entry(3, 8, { validityWindow: 60 }),
    entry(4, 5, { validityWindow: 0xffff }),
  ];
  const { made, ran } = schedule(entries, [], MONDAY);
  made.powerUp(MONDAY + 10 * HOUR);
  assert.deepEqual(ran.splice(0), [4, 2]);
  assert.equal(made.until, MONDAY + 10 * HOUR);
});

test("a clock that goes back repeats what comes round again, and nothing else", () => {
  const { made, ran } = schedule([entry(1, 6)]);
  made.tick(MONDAY + 5 * HOUR);
  made.tick(MONDAY + 6 * HOUR);
  made.tick(MONDAY + 5 * HOUR);
  assert.deepEqual(ran.splice(0), [1]);
  made.tick(MONDAY + 6 * HOUR);
  assert.deepEqual(ran.splice(0), [1]);
});

test("entries are inserted, deleted, enabled and disabled by their indexes", () => {
  const { made, ask } = schedule([entry(1, 6), entry(2, 7), entry(5, 8)]);
  const indexes = () => made.entries.map(({ index }) => index);
  const enabled = () => made.entries.filter(({ enable }) => enable).map(({ index }) => index);
  assert.equal(ask.call("insert", entry(3, 9)), "success");
  assert.equal(ask.call("insert", entry(3, 10)), "success");
  assert.deepEqual(indexes(), [1, 2, 3, 5]);
  assert.equal(made.entries[2]?.switchTime.hour, 10, "the later one counts");
  assert.equal(ask.call("insert", entry(10_000, 9)), "other-reason");
  const range = { firstIndexA: 1, lastIndexA: 9, firstIndexB: 2, lastIndexB: 2 };
  assert.equal(ask.call("enableDisable", range), "success");
  assert.deepEqual(enabled(), [2]);
  ask.call("enableDisable", { firstIndexA: 2, lastIndexA: 1, firstIndexB: 10_000, lastIndexB: 10_000 });
  assert.deepEqual(enabled(), [2], "ranges that mean nothing");
  assert.equal(ask.call("delete", { firstIndex: 2, lastIndex: 4 }), "success");
  ask.call("delete", { firstIndex: 5, lastIndex: 1 });
  assert.deepEqual(indexes(), [1, 5]);
  assert.equal(ask.set("entries", [entry(1, 1), entry(1, 2)]), "other-reason");
  assert.equal(ask.set("entries", [entry(7, 1)]), "success");
  assert.deepEqual(ask.get("entries"), made.entries);
});

test("special days are inserted and deleted by their indexes", () => {
  let days: SpecialDays = [];
  const ask = askFor(
    SpecialDaysTable,
    serveSpecialDays<undefined>({ days: () => days, change: (changed) => (days = changed) }),
  );
  const day = (index: number, dayId: number) => ({
    index,
    dayId,
    specialDayDate: cosemDate({ month: 12, dayOfMonth: 25 }),
  });
  for (const one of [day(2, 1), day(1, 1), day(2, 3)]) assert.equal(ask.call("insert", one), "success");
  assert.deepEqual(ask.get("entries"), [day(1, 1), day(2, 3)]);
  assert.equal(ask.call("delete", 1), "success");
  assert.deepEqual(days, [day(2, 3)]);
});

test("the mask in force says which of the assigned registers count", () => {
  const register = (e: number) => ({ classId: 3, logicalName: `1.0.1.8.${e}.255` }) as const;
  const name = (text: string) => new TextEncoder().encode(text);
  const registers = new TariffRegisters({
    registers: [register(1), register(2)],
    masks: [
      { maskName: name("day"), indexList: [1] },
      { maskName: name("night"), indexList: [2] },
    ],
    activeMask: name("day"),
  });
  const ask = askFor(
    RegisterActivation,
    serveRegisterActivation<undefined>(() => registers),
  );
  const counting = () => [0, 1, 2, 3].filter((e) => registers.counts(register(e)));
  assert.deepEqual(counting(), [0, 1, 3], "what is not assigned always counts");
  assert.equal(ask.set("activeMask", name("night")), "success");
  assert.deepEqual(counting(), [0, 2, 3]);
  assert.equal(ask.set("activeMask", name("noon")), "other-reason");
  assert.equal(ask.call("addMask", { maskName: name("both"), indexList: [1, 2, 3] }), "other-reason");
  assert.equal(ask.call("addRegister", register(3)), "success");
  assert.equal(ask.call("addMask", { maskName: name("both"), indexList: [1, 2, 3] }), "success");
  assert.equal(ask.call("deleteMask", name("night")), "other-reason", "it is in force");
  ask.set("activeMask", name("both"));
  assert.deepEqual(counting(), [0, 1, 2, 3]);
  assert.equal(ask.call("deleteMask", name("night")), "success");
  assert.equal((ask.get("maskList") as unknown[]).length, 2);
});

test("a logical device is connected where the meter allows it", () => {
  const devices: LogicalDevice[] = [{ sap: 1, logicalDeviceName: new TextEncoder().encode("MKP1") }];
  const ask = askFor(
    SapAssignment,
    serveSapAssignment<undefined>({
      devices: () => devices,
      connect: (device) => device.sap < 0x3fff && devices.push(device) > 0,
    }),
  );
  assert.equal(
    ask.call("connectLogicalDevice", { sap: 17, logicalDeviceName: new TextEncoder().encode("MKP2") }),
    "success",
  );
  assert.equal(ask.call("connectLogicalDevice", { sap: 0x4000, logicalDeviceName: new Uint8Array(1) }), "other-reason");
  assert.deepEqual(ask.get("sapAssignmentList"), devices);
  assert.equal(devices.length, 2);
  const fixed = askFor(SapAssignment, serveSapAssignment<undefined>({ devices: () => devices }));
  assert.equal(fixed.call("connectLogicalDevice", devices[0]), "object-undefined");
});

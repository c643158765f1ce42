import { ActivityCalendar, dateTime, encode, remote, toHex } from "@meterkeep/dlms";
import { type FieldValue, listOf, matching, object, truth, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { previewed } from "./long-writes.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationSession, ReadBack } from "./operation.ts";
import { compare, settle, settled, spelledBy, type Wanted } from "./settle.ts";

const TARIFF_SCRIPTS = logicalName("0-0:10.0.100");
const { attributes } = ActivityCalendar;

const nameText = matching(/^[\x20-\x7e]{1,32}$/, "1 to 32 printable characters");
const dayId = whole(0, 255);
const season = object({
  name: nameText,
  /** `--03-01`: each year on that day. */
  start: matching(/^--(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/, "a day of each year such as --03-01"),
  week: nameText,
});
const week = object({ name: nameText, /** Day profiles from Monday to Sunday. */ days: listOf(dayId, 7, 7) });
const day = object({
  id: dayId,
  schedule: listOf(
    object({
      at: matching(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "a time such as 06:00"),
      /** Of the tariffication script table. */ script: whole(1, 0xffff),
    }),
    48,
  ),
});
const seasons = listOf(season, 20);
const weeks = listOf(week, 20);
const days = listOf(day, 100);
const parameters = object({
  name: nameText,
  seasons,
  weeks,
  days,
  /** Whether it takes effect at once; else it waits as the passive calendar. */
  activate: truth,
});
type CalendarParameters = FieldValue<typeof parameters>;

/**
 * Gives a meter a tariff calendar: the passive tables are written and read back, and only then, where that is asked for,
 * made active and read back again. Its days run tariff scripts and nothing else, so it cannot switch.
 */
export const activityCalendarOperation: Operation<CalendarParameters> = {
  name: "activity-calendar",
  parameters,
  example: {
    name: "WINTER-26",
    seasons: [{ name: "all", start: "--01-01", week: "w" }],
    weeks: [{ name: "w", days: [1, 1, 1, 1, 1, 2, 2] }],
    days: [
      {
        id: 1,
        schedule: [
          { at: "00:00", script: 2 },
          { at: "06:00", script: 1 },
          { at: "22:00", script: 2 },
        ],
      },
      { id: 2, schedule: [{ at: "00:00", script: 2 }] },
    ],
    activate: true,
  },
  words: ({ name, activate }) => `set tariff calendar "${name}"${activate ? " and make it active" : ""}`,
  command,

  async preview(on, of) {
    const passive = tables(of, on.profile, "passive");
    return previewed(on, "The calendar", of.activate ? tables(of, on.profile, "active") : passive, passive);
  },

  async run(on, of) {
    if (of.activate) {
      const active = await compare(on, tables(of, on.profile, "active"));
      if (active.every(({ holds }) => holds)) return settled("The calendar", active);
    }
    const passive = await settle(on, tables(of, on.profile, "passive"));
    if (!of.activate || passive.some(({ holds }) => !holds)) return settled("The calendar", passive);
    return settled("The calendar", [...passive, ...(await activate(on, of))]);
  },
};

async function activate(on: OperationSession, of: CalendarParameters): Promise<readonly ReadBack[]> {
  const wanted = tables(of, on.profile, "active");
  const before = await compare(on, wanted);
  await remote(on.session, ActivityCalendar, nameOf(on.profile)).call("activatePassiveCalendar");
  const after = await compare(on, wanted);
  return after.map((fact, at) => ({ ...fact, before: before[at]?.found ?? "" }));
}

function command(of: CalendarParameters, profile: MeterProfile) {
  const [name = "", seasonTable = "", weekTable = "", dayTable = ""] = octetsOf(of);
  return {
    kind: "calendar",
    instance: instanceOf(offered(profile.activityCalendar, "activity calendar", profile)),
    name,
    seasons: seasonTable,
    weeks: weekTable,
    days: dayTable,
    activate: of.activate,
  } as const;
}

function nameOf(profile: MeterProfile): string {
  return logicalName(offered(profile.activityCalendar, "activity calendar", profile));
}

/** The four tables of the active or of the passive calendar, as they should be. */
function tables(of: CalendarParameters, profile: MeterProfile, which: "active" | "passive"): readonly Wanted[] {
  const first = which === "active" ? attributes.calendarNameActive.index : attributes.calendarNamePassive.index;
  return octetsOf(of).map((octets, at) => ({
    name: `${which} ${TABLES[at]}`,
    classId: ActivityCalendar.id,
    logicalName: nameOf(profile),
    attributeId: first + at,
    octets,
    spelled: SPELLED[at] as Wanted["spelled"],
  }));
}

const TABLES = ["calendar name", "seasons", "weeks", "days"] as const;
const SPELLED: readonly Wanted["spelled"][] = [
  spelledBy(attributes.calendarNameActive.codec),
  spelledBy(attributes.seasonProfileActive.codec),
  spelledBy(attributes.weekProfileTableActive.codec),
  spelledBy(attributes.dayProfileTableActive.codec),
];

function octetsOf({ name, seasons: seasonList, weeks: weekList, days: dayList }: CalendarParameters): string[] {
  const seasonTable = seasonList.map((each) => ({
    seasonProfileName: octetsOfText(each.name),
    seasonStart: dateTime({ month: Number(each.start.slice(2, 4)), dayOfMonth: Number(each.start.slice(5, 7)) }),
    weekName: octetsOfText(each.week),
  }));
  const weekTable = weekList.map(
    ({ name: weekName, days: [mo = 0, tu = 0, we = 0, th = 0, fr = 0, sa = 0, su = 0] }) => ({
      weekProfileName: octetsOfText(weekName),
      ...{ monday: mo, tuesday: tu, wednesday: we, thursday: th, friday: fr, saturday: sa, sunday: su },
    }),
  );
  const dayTable = dayList.map(({ id, schedule }) => ({
    dayId: id,
    daySchedule: schedule.map(({ at, script }) => ({
      startTime: { hour: Number(at.slice(0, 2)), minute: Number(at.slice(3, 5)), second: 0, hundredths: 0 },
      scriptLogicalName: TARIFF_SCRIPTS,
      scriptSelector: script,
    })),
  }));
  return [
    encode(attributes.calendarNamePassive.codec, octetsOfText(name)),
    encode(attributes.seasonProfilePassive.codec, seasonTable),
    encode(attributes.weekProfileTablePassive.codec, weekTable),
    encode(attributes.dayProfileTablePassive.codec, dayTable),
  ].map(toHex);
}

function octetsOfText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

import type { CommandRules } from "../threshold/command-rules.ts";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** Whether supply may be switched off at a moment (MC-08): by the hour, weekday and date where the meters are. */
export function isOffAllowed({ fromMinute, toMinute, weekdays, zone, holidays }: CommandRules["calendar"], at: number) {
  const part = partsAt(zone, at);
  if (part === undefined) return false;
  const { minute, weekday, date } = part;
  return minute >= fromMinute && minute < toMinute && weekdays.includes(weekday) && !holidays.includes(date);
}

/** A zone that nobody knows allows nothing. */
function partsAt(zone: string, at: number) {
  let parts: Intl.DateTimeFormatPart[];
  try {
    parts = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hourCycle: "h23",
      weekday: "short",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    }).formatToParts(at);
  } catch {
    return undefined;
  }
  const said = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? "";
  return {
    minute: Number(said("hour")) * 60 + Number(said("minute")),
    weekday: WEEKDAYS.indexOf(said("weekday")) + 1,
    date: `${said("year")}-${said("month")}-${said("day")}`,
  };
}

import { encode, SpecialDaysTable, toHex } from "@meterkeep/dlms";
import { type FieldValue, listOf, matching, object, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf } from "../profile/object-name.ts";
import { previewed } from "./long-writes.ts";
import { offered } from "./not-offered.ts";
import type { Operation } from "./operation.ts";
import { settle, settled, spelledBy, type Wanted, wantedOf } from "./settle.ts";

const { entries } = SpecialDaysTable.attributes;

const day = object({
  index: whole(0, 0xffff),
  /** `2026-12-25`, or `--12-25` for each year. */
  date: matching(/^(?:\d{4}|-)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/, "a date such as 2026-12-25 or --12-25"),
  /** The day profile of the calendar that holds then. */
  dayId: whole(0, 255),
});
const days = listOf(day, 100, 0);
const parameters = object({ days });
type SpecialDaysParameters = FieldValue<typeof parameters>;

/** Sets the days on which a calendar follows a day profile of their own. */
export const specialDaysOperation: Operation<SpecialDaysParameters> = {
  name: "special-days",
  parameters,
  example: { days: [{ index: 1, date: "--12-25", dayId: 2 }] },
  words: ({ days: { length } }) => `set ${length} special days`,
  command,
  preview: (on, of) => previewed(on, "The special days table", wanted(of, on.profile)),
  run: async (on, of) => settled("The special days table", await settle(on, wanted(of, on.profile))),
};

function command(of: SpecialDaysParameters, profile: MeterProfile) {
  const instance = instanceOf(offered(profile.specialDays, "special days table", profile));
  return { kind: "special-days", instance, entries: octetsOf(of) } as const;
}

function wanted(of: SpecialDaysParameters, profile: MeterProfile): readonly Wanted[] {
  return wantedOf(command(of, profile), { [entries.index]: "special days" }, spelledBy(entries.codec));
}

function octetsOf({ days: list }: SpecialDaysParameters): string {
  const value = list.map(({ index, date, dayId }) => ({ index, specialDayDate: dateOf(date), dayId }));
  return toHex(encode(entries.codec, value));
}

function dateOf(text: string) {
  const [, year, month, dayOfMonth] = /^(\d{4}|-)-(\d\d)-(\d\d)$/.exec(text) ?? [];
  return {
    year: year === "-" ? undefined : Number(year),
    month: Number(month),
    dayOfMonth: Number(dayOfMonth),
    dayOfWeek: undefined,
  };
}

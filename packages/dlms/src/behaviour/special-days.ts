import { SpecialDaysTable } from "../cosem/classes/special-days-table.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { SpecialDays } from "./activity-calendar.ts";

/** What serving a special days table needs of the meter, which gives the same days to its calendars and schedules. */
export interface SpecialDaysPorts<State> {
  readonly days: (state: State, context: ServeContext) => SpecialDays;
  readonly change: (days: SpecialDays, state: State, context: ServeContext) => unknown;
}

/** Serves class 11: an entry inserted takes the place of the one with its index (Blue Book 4.5.4). */
export function serveSpecialDays<State>({ days, change }: SpecialDaysPorts<State>): ServedClass<State> {
  const without = (index: number, state: State, context: ServeContext) =>
    days(state, context).filter((day) => day.index !== index);
  return SpecialDaysTable.serve<State>({
    get: { entries: days },
    set: { entries: change },
    call: {
      insert: (day, state, context) =>
        change(
          [...without(day.index, state, context), day].sort((one, other) => one.index - other.index),
          state,
          context,
        ),
      delete: (index, state, context) => change(without(index, state, context), state, context),
    },
  });
}

import { BUILT_IN_LAYOUTS, type Layout, type LayoutColumn } from "@meterkeep/dlms";
import type { Meter } from "../inventory/meter.ts";

const NAME: LayoutColumn = { type: "string", format: "text", name: { obis: "0-0:42.0.0" } };
const CLOCK: LayoutColumn = { type: "string", format: "date-time", isClock: true };
const energy = (obis: string, scaler = 0): LayoutColumn => ({
  type: "double-long-unsigned",
  name: { obis },
  scaler,
  unit: "Wh",
});
const POWER: LayoutColumn = { type: "double-long-unsigned", name: { obis: "1-0:1.7.0" }, scaler: 0, unit: "W" };

/** What meters of a companion profile push, column by column. */
const PROFILE_LAYOUTS: Readonly<Record<string, Layout>> = {
  "idis-p2": layout("idis-p2", [NAME, CLOCK, energy("1-0:1.8.0"), energy("1-0:2.8.0"), POWER]),
  "idis-p2-service": layout("idis-p2-service", [NAME, CLOCK, energy("1-0:1.8.0"), energy("1-0:2.8.0"), POWER]),
  "idis-p3": layout("idis-p3", [NAME, CLOCK, energy("1-0:1.8.0"), energy("1-0:2.8.0"), POWER]),
  "dsmr-5": layout("dsmr-5", [NAME, CLOCK, energy("1-0:1.8.0"), energy("1-0:2.8.0")]),
  "metcom-mcs301": layout("metcom-mcs301", [NAME, CLOCK, energy("1-0:1.8.0"), energy("1-0:2.8.0"), POWER]),
  "landis-gyr-e350": layout("landis-gyr-e350", [NAME, CLOCK, energy("1-0:1.8.0"), energy("1-0:2.8.0")]),
  is15959: layout("is15959", [NAME, CLOCK, energy("1-0:1.8.0", 1), POWER]),
};

function layout(id: string, columns: readonly LayoutColumn[]): Layout {
  return { id: `${id}-push`, title: `Push of ${id}`, match: {}, columns };
}

const alarmRegister = (obis: string): LayoutColumn => ({ type: "double-long-unsigned", name: { obis }, scaler: 0 });

/** An alarm: who, when, and which bits are set, in one register or in both. */
export const ALARM_LAYOUTS: readonly Layout[] = [
  layout("alarm", [NAME, CLOCK, alarmRegister("0-0:97.98.0")]),
  layout("alarms", [NAME, CLOCK, alarmRegister("0-0:97.98.0"), alarmRegister("0-0:97.98.1")]),
];

/** The layout for a meter's pushes: the one it was attached with, that of its profile, or none (what it says of itself). */
export function pushLayoutOf(meter: Pick<Meter, "pushLayout" | "profile">): Layout | undefined {
  if (meter.pushLayout !== undefined) return BUILT_IN_LAYOUTS.find(({ id }) => id === meter.pushLayout);
  return Object.hasOwn(PROFILE_LAYOUTS, meter.profile) ? PROFILE_LAYOUTS[meter.profile] : undefined;
}

import { type ModelObject, mount, serveActivityCalendar, serveSpecialDays } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";
import { kept } from "./kept.ts";

/** Activity calendar and special days. */
export function tariffObjects(): ModelObject<VirtualMeter>[] {
  return [
    mount(
      "0.0.13.0.0.255",
      kept(
        serveActivityCalendar<VirtualMeter>(({ tariff }) => tariff.calendar),
        ({ tariff }) => tariff.keep(),
      ),
    ),
    mount(
      "0.0.11.0.0.255",
      serveSpecialDays<VirtualMeter>({
        days: ({ tariff }) => tariff.specialDays,
        change: (days, meter) => {
          meter.tariff.specialDays = days;
          meter.log("configurationChanged", meter.now());
        },
      }),
    ),
  ];
}

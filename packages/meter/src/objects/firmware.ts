import {
  instantOf,
  type ModelObject,
  mount,
  refuse,
  ScriptTable,
  SingleActionSchedule,
  serveImageTransfer,
} from "@meterkeep/dlms";
import { deviationMinutes } from "../profile/rows.ts";
import type { VirtualMeter } from "../virtual-meter.ts";

const IMAGE_TRANSFER = "0.0.44.0.0.255";
const ACTIVATION_SCRIPTS = "0.0.10.0.107.255";
const ACTIVATE = 1;

/** Image transfer, and when an image is activated; what is transferred does not survive a power cut, what is activated does. */
export function firmwareObjects(): ModelObject<VirtualMeter>[] {
  return [
    mount(
      IMAGE_TRANSFER,
      serveImageTransfer<VirtualMeter>((meter) => meter.images),
    ),
    mount(
      ACTIVATION_SCRIPTS,
      ScriptTable.serve<VirtualMeter>({
        get: {
          scripts: () => [
            {
              scriptIdentifier: ACTIVATE,
              actions: [
                {
                  serviceId: "execute" as const,
                  classId: 18,
                  logicalName: IMAGE_TRANSFER,
                  index: 4,
                  parameter: { type: "integer" as const, value: 0 },
                },
              ],
            },
          ],
        },
        call: { execute: (script, meter) => (script === ACTIVATE ? meter.images.activate() : refuse("other-reason")) },
      }),
    ),
    mount(
      "0.0.15.0.2.255",
      SingleActionSchedule.serve<VirtualMeter>({
        get: {
          executedScript: () => ({ scriptLogicalName: ACTIVATION_SCRIPTS, scriptSelector: ACTIVATE }),
          type: () => 1,
          executionTime: (meter) => {
            const { activateAt } = meter.settings;
            if (activateAt === undefined) return [];
            const local = meter.clockTime(activateAt);
            return [{ time: local, date: local }];
          },
        },
        set: {
          executionTime: ([time, ...more], meter) => {
            const { activateAt: _, ...rest } = meter.settings;
            if (time === undefined) return void meter.changeSettings(rest);
            // These meters take one moment, without wildcards.
            const deviation = deviationMinutes(meter.profile, meter.now());
            const at = instantOf({ ...time.date, ...time.time, deviation: undefined, status: undefined }, deviation);
            if (more.length > 0 || at === undefined) return refuse("other-reason");
            meter.changeSettings({ ...rest, activateAt: at / 1000 });
            return undefined;
          },
        },
      }),
    ),
  ];
}

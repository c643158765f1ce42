import { type ModelObject, mount, serveMBusClient } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";
import { kept } from "./kept.ts";

/** The client of M-Bus channel 1. */
export function mBusObjects(version: 0 | 1): ModelObject<VirtualMeter>[] {
  const served = serveMBusClient<VirtualMeter>(version, ({ mBus }) => mBus);
  return [
    mount(
      "0.1.24.1.0.255",
      kept(served, (meter) => {
        const { primaryAddress, settings } = meter.mBus;
        meter.changeSettings({
          ...meter.settings,
          mBus: { primaryAddress, capturePeriod: settings.capturePeriod },
        });
      }),
    ),
  ];
}

import { ExtendedRegister, type ModelObject, mount, serveMBusClient } from "@meterkeep/dlms";
import { readsGas } from "../m-bus.ts";
import type { CompanionProfile } from "../profile/companion-profile.ts";
import { clockValue } from "../profile/rows.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { kept } from "./kept.ts";

const CUBIC_METRE = 13;
const HOUR_SECONDS = 3600;
/** Hundredths of a cubic metre an hour: what a small flat burns. */
const LEAST_AN_HOUR = 5;

/** What the gas meter on the bus has counted at the hour, in hundredths of a cubic metre: it counts on by itself, as gas does. */
function volumeAt({ record }: VirtualMeter, hour: number): number {
  return (hour * (LEAST_AN_HOUR + (record.seed % 20))) % 100_000_000;
}

const lastHour = (meter: VirtualMeter): number => Math.floor(meter.now() / HOUR_SECONDS);

/** The client of M-Bus channel 1, and the value of the device on it. */
export function mBusObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  const { mBusVersion: version } = profile;
  const served = serveMBusClient<VirtualMeter>(version, ({ mBus }) => mBus);
  return [
    mount(
      "0.1.24.1.0.255",
      kept(served, (meter) => {
        const { primaryAddress, settings } = meter.mBus;
        meter.changeSettings({
          ...meter.settings,
          mBus: { ...meter.settings.mBus, primaryAddress, capturePeriod: settings.capturePeriod },
        });
      }),
    ),
    mount(
      "0.1.24.2.1.255",
      ExtendedRegister.serve<VirtualMeter>({
        get: {
          value: (meter) =>
            meter.mBus.primaryAddress === 0 || !readsGas(meter.settings)
              ? { type: "null-data", value: null }
              : { type: "double-long-unsigned", value: volumeAt(meter, lastHour(meter)) },
          scalerUnit: () => ({ scaler: -2, unit: CUBIC_METRE }),
          status: () => ({ type: "null-data", value: null }),
          captureTime: (meter) => clockValue(profile, lastHour(meter) * HOUR_SECONDS),
        },
      }),
    ),
  ];
}

import { DataClass, type ModelObject, mount, refuse, servePushSetup } from "@meterkeep/dlms";
import type { CompanionProfile } from "../profile/companion-profile.ts";
import type { PushKind } from "../push-schedule.ts";
import { changePushSettings, pushSettings } from "../push-setup.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { ALARM_REGISTER } from "../well-known.ts";
import { firmwareObjects } from "./firmware.ts";
import { portProtection } from "./port-protection.ts";

/** The push setup of alarms. */
export const ALARM_PUSH_SETUP = "0.4.25.9.0.255";

/** Push setups, alarm register and firmware. */
export function communicationObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  return [
    pushSetup(profile.push.obis, "report"),
    pushSetup(ALARM_PUSH_SETUP, "alarm"),
    alarmRegister(),
    ...firmwareObjects(),
    portProtection(),
  ];
}

function pushSetup(obis: string, kind: PushKind): ModelObject<VirtualMeter> {
  return mount(
    obis,
    servePushSetup<VirtualMeter>(0, {
      settings: (meter) => pushSettings(meter, kind),
      change: (settings, meter) => {
        const refused = changePushSettings(settings, meter, kind);
        if (refused === undefined) meter.log("configurationChanged", meter.now());
        return refused;
      },
      push: (meter) => meter.requestPush(kind),
    }),
  );
}

function alarmRegister(): ModelObject<VirtualMeter> {
  return mount(
    ALARM_REGISTER,
    DataClass.serve<VirtualMeter>({
      get: { value: ({ alarms }) => ({ type: "double-long-unsigned", value: alarms }) },
      set: {
        // Bits that are set in the value written are cleared, as IDIS meters do; new ones cannot be set from outside.
        value: (value, meter) => {
          if (value.type !== "double-long-unsigned") return refuse("type-unmatched");
          meter.clearAlarms(value.value);
          return undefined;
        },
      },
    }),
  );
}

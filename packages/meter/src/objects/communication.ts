import { DataClass, type ModelObject, mount, PushSetup, refuse, serveImageTransfer } from "@meterkeep/dlms";
import type { Column, CompanionProfile } from "../profile/companion-profile.ts";
import { ascii } from "../text.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { captureObjects } from "./measurement.ts";
import { portProtection } from "./port-protection.ts";

/** Alarm register 1 (Blue Book, abstract objects): one bit an alarm. */
export const ALARM_REGISTER = "0.0.97.98.0.255";
/** The push setup of alarms. */
export const ALARM_PUSH_SETUP = "0.4.25.9.0.255";

const TRANSPORTS = { tcp: "tcp", udp: "udp" } as const;
/** `host:port` of a name or an IPv4 address, as a push destination is written. */
const DESTINATION = /^[A-Za-z0-9.-]{1,253}:[0-9]{1,5}$/;
/** Push setups, alarm register and image transfer. */
export function communicationObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  return [
    pushSetup(profile, profile.push.obis, profile.push.columns, "report"),
    pushSetup(profile, ALARM_PUSH_SETUP, ["clock"], "alarm"),
    alarmRegister(),
    imageTransfer(),
    portProtection(),
  ];
}

function pushSetup(
  profile: CompanionProfile,
  obis: string,
  columns: readonly Column[],
  kind: "report" | "alarm",
): ModelObject<VirtualMeter> {
  const nameAndColumns = [
    { classId: 1, logicalName: "0.0.42.0.0.255", attributeIndex: 2, dataIndex: 0 },
    ...captureObjects(profile, columns),
    ...(kind === "alarm" ? [{ classId: 1, logicalName: ALARM_REGISTER, attributeIndex: 2, dataIndex: 0 }] : []),
  ];
  return mount(
    obis,
    PushSetup.serve<VirtualMeter>({
      get: {
        pushObjectList: () => nameAndColumns,
        sendDestinationAndMethod: ({ pushDestination }) => ({
          transportService: TRANSPORTS[profile.push.transport],
          destination: ascii(pushDestination),
          message: "aXdr",
        }),
        communicationWindow: () => [],
        randomisationStartInterval: () => (kind === "report" ? 900 : 10),
        numberOfRetries: () => 1,
        repetitionDelay: () => 60,
      },
      set: {
        sendDestinationAndMethod: ({ transportService, destination, message }, meter) => {
          const text = String.fromCharCode(...destination);
          const right = transportService === profile.push.transport && message === "aXdr" && DESTINATION.test(text);
          if (!right || Number(text.slice(text.indexOf(":") + 1)) > 0xffff) return refuse("other-reason");
          meter.changeSettings({ ...meter.settings, pushDestination: text });
          meter.log("configurationChanged", meter.now());
          return undefined;
        },
      },
      call: { push: (_, meter) => meter.requestPush(kind) },
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

/** Image transfer; what is transferred does not survive a power cut, what is activated does. */
function imageTransfer(): ModelObject<VirtualMeter> {
  return mount(
    "0.0.44.0.0.255",
    serveImageTransfer<VirtualMeter>((meter) => meter.images),
  );
}

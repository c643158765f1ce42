import { type AccessRefusal, type CaptureObject, type PushSettings, refuse } from "@meterkeep/dlms";
import type { MeterSettings } from "./nvm/settings.ts";
import { captureObjects } from "./profile/capture-objects.ts";
import type { CompanionProfile } from "./profile/companion-profile.ts";
import type { PushKind } from "./push-schedule.ts";
import { ascii } from "./text.ts";
import { ALARM_REGISTER, LOGICAL_DEVICE_NAME } from "./well-known.ts";

/** A meter, as far as its push setups need it. */
export interface PushOwner {
  readonly profile: CompanionProfile;
  readonly pushDestination: string;
  readonly settings: MeterSettings;
  changeSettings(settings: MeterSettings): void;
}

const TRANSPORTS = { tcp: "tcp", udp: "udp" } as const;
/** `host:port` of a name or an IPv4 address, as a push destination is written. */
const DESTINATION = /^[A-Za-z0-9.-]{1,253}:[0-9]{1,5}$/;
const MOST_OBJECTS = 64;
/** How long each kind waits at random. Seconds: meters that come up together spread their first reports, alarms leave soon. */
const RANDOMISATION = { report: 900, alarm: 10 } as const;
const RETRIES = 5;
const RETRY_SECONDS = 60;
const NO_PROTECTION: PushSettings["protection"] = [];

/** The push setup of a kind, as the factory made it and clients have changed it since. */
export function pushSettings({ profile, pushDestination, settings }: PushOwner, kind: PushKind): PushSettings {
  return {
    pushObjectList: factoryObjects(profile, kind),
    destination: {
      transportService: TRANSPORTS[profile.push.transport],
      destination: ascii(pushDestination),
      message: "aXdr",
    },
    communicationWindow: [],
    randomisationStartInterval: RANDOMISATION[kind],
    numberOfRetries: RETRIES,
    repetitionDelay: { min: RETRY_SECONDS, exponent: 100, max: RETRY_SECONDS },
    portReference: "0.0.0.0.0.0",
    pushClientSap: 0,
    protection: NO_PROTECTION,
    operationMethod: "unconfirmedRetryOnSupportingLayerFailure",
    ...settings.pushSetups?.[kind],
  };
}

/** Changes the push setup of a kind, durably; a refusal where the meter cannot push so. */
export function changePushSettings(wanted: PushSettings, owner: PushOwner, kind: PushKind): AccessRefusal | undefined {
  const { pushObjectList, communicationWindow, randomisationStartInterval, numberOfRetries, repetitionDelay } = wanted;
  const { transportService, destination, message } = wanted.destination;
  const text = String.fromCharCode(...destination);
  const right = transportService === owner.profile.push.transport && message === "aXdr" && DESTINATION.test(text);
  if (!right || Number(text.slice(text.indexOf(":") + 1)) > 0xffff) return refuse("other-reason");
  if (pushObjectList.length > MOST_OBJECTS) return refuse("other-reason");
  owner.changeSettings({
    ...owner.settings,
    ...(text === owner.pushDestination ? {} : { pushDestination: text }),
    pushSetups: {
      ...owner.settings.pushSetups,
      [kind]: { pushObjectList, communicationWindow, randomisationStartInterval, numberOfRetries, repetitionDelay },
    },
  });
  return undefined;
}

/** The name of the meter, what is reported, and with an alarm which ones there are. */
function factoryObjects(profile: CompanionProfile, kind: PushKind): readonly CaptureObject[] {
  const value = (logicalName: string): CaptureObject => ({
    classId: 1,
    logicalName,
    attributeIndex: 2,
    dataIndex: 0,
  });
  const name = value(LOGICAL_DEVICE_NAME);
  if (kind === "alarm") return [name, ...captureObjects(profile, ["clock"]), value(ALARM_REGISTER)];
  return [name, ...captureObjects(profile, profile.push.columns)];
}

import {
  type Data,
  DisconnectControl,
  dateTimeAt,
  instantOf,
  Limiter,
  type ModelObject,
  mount,
  refuse,
  ScriptTable,
  SingleActionSchedule,
} from "@meterkeep/dlms";
import { deviationMinutes } from "../profile/rows.ts";
import { EMERGENCY_W, LAST_CONTROL_MODE, LIMITER_SECONDS, SUPPLY_SCRIPTS } from "../supply.ts";
import type { UnixSeconds } from "../time/calendar.ts";
import type { VirtualMeter } from "../virtual-meter.ts";

const DISCONNECT_CONTROL = "0.0.96.3.10.255";
const DISCONNECTOR_SCRIPTS = "0.0.10.0.106.255";
/** The only emergency profile whose group these meters belong to. */
const EMERGENCY_PROFILE = 1;
/** 2000-01-01, which a profile that is not there says. */
const LONG_AGO = 946_684_800;
const NO_SCRIPT = { scriptLogicalName: "0.0.0.0.0.0", scriptSelector: 0 } as const;

/** Disconnect control, its scripts and schedule, and the limiter: all with real effect on the load. */
export function supplyObjects(): ModelObject<VirtualMeter>[] {
  return [
    mount(
      DISCONNECT_CONTROL,
      DisconnectControl.serve<VirtualMeter>({
        get: {
          outputState: ({ supply }) => supply?.connected ?? true,
          controlState: ({ supply }) => supply?.state ?? "connected",
          controlMode: ({ supply }) => supply?.mode ?? 0,
        },
        set: {
          controlMode: (mode, meter) => {
            if (mode > LAST_CONTROL_MODE) return refuse("other-reason");
            meter.changeSettings({ ...meter.settings, disconnectMode: mode });
            return undefined;
          },
        },
        call: {
          remoteDisconnect: (_, meter) => runScript(meter, SUPPLY_SCRIPTS.disconnect),
          remoteReconnect: (_, meter) => runScript(meter, SUPPLY_SCRIPTS.reconnect),
        },
      }),
    ),
    mount(
      DISCONNECTOR_SCRIPTS,
      ScriptTable.serve<VirtualMeter>({
        get: {
          scripts: () =>
            Object.values(SUPPLY_SCRIPTS).map((scriptIdentifier) => ({
              scriptIdentifier,
              actions: [
                {
                  serviceId: "execute" as const,
                  classId: 70,
                  logicalName: DISCONNECT_CONTROL,
                  index: scriptIdentifier,
                  parameter: { type: "integer" as const, value: 0 },
                },
              ],
            })),
        },
        call: { execute: (script, meter) => runScript(meter, script) },
      }),
    ),
    mount(
      "0.0.15.0.1.255",
      SingleActionSchedule.serve<VirtualMeter>({
        get: {
          executedScript: ({ settings }) => ({
            scriptLogicalName: DISCONNECTOR_SCRIPTS,
            scriptSelector: settings.scheduled?.script ?? SUPPLY_SCRIPTS.disconnect,
          }),
          type: () => 1,
          executionTime: (meter) =>
            meter.settings.scheduled === undefined ? [] : [timeOf(meter, meter.settings.scheduled.at)],
        },
        set: {
          executionTime: (times, meter) => {
            const { scheduled: _, ...rest } = meter.settings;
            const [time, ...more] = times;
            if (time === undefined) {
              meter.changeSettings(rest);
              return undefined;
            }
            // These meters take one moment, without wildcards.
            const now = meter.now();
            const deviation = deviationMinutes(meter.profile, now);
            const at = instantOf({ ...time.date, ...time.time, deviation: undefined, status: undefined }, deviation);
            if (more.length > 0 || at === undefined) return refuse("other-reason");
            meter.changeSettings({ ...rest, scheduled: { at: at / 1000, script: SUPPLY_SCRIPTS.disconnect } });
            return undefined;
          },
        },
      }),
    ),
    limiter(),
  ];
}

function runScript(meter: VirtualMeter, script: number): ReturnType<typeof refuse> | undefined {
  return meter.supply?.run(script, meter.now()) === true ? undefined : refuse("other-reason");
}

function timeOf(
  meter: VirtualMeter,
  at: UnixSeconds,
): { time: ReturnType<VirtualMeter["clockTime"]>; date: ReturnType<VirtualMeter["clockTime"]> } {
  const value = meter.clockTime(at);
  return { time: value, date: value };
}

function watts(value: number): Data {
  return { type: "double-long-unsigned", value };
}

function limiter(): ModelObject<VirtualMeter> {
  const normal = (meter: VirtualMeter): Data => watts(meter.settings.limiterThresholdW ?? meter.contractW);
  const emergency = (meter: VirtualMeter): Data => watts(meter.settings.limiterEmergencyW ?? EMERGENCY_W);
  const isEmergency = (meter: VirtualMeter): boolean => meter.supply?.emergencyAt(meter.now()) ?? false;
  return mount(
    "0.0.17.0.0.255",
    Limiter.serve<VirtualMeter>({
      get: {
        monitoredValue: () => ({ classId: 3, logicalName: "1.0.1.7.0.255", attributeIndex: 2 }),
        thresholdActive: (meter) => (isEmergency(meter) ? emergency(meter) : normal(meter)),
        thresholdNormal: normal,
        thresholdEmergency: emergency,
        minOverThresholdDuration: ({ settings }) => settings.limiterSeconds ?? LIMITER_SECONDS,
        minUnderThresholdDuration: ({ settings }) => settings.limiterUnderSeconds ?? LIMITER_SECONDS,
        emergencyProfile: ({ settings: { emergency: of } }) => ({
          emergencyProfileId: of?.profileId ?? EMERGENCY_PROFILE,
          emergencyActivationTime: dateTimeAt((of?.from ?? LONG_AGO) * 1000),
          emergencyDuration: of?.seconds ?? 0,
        }),
        emergencyProfileGroupIdList: () => [EMERGENCY_PROFILE],
        emergencyProfileActive: isEmergency,
        actions: () => ({
          actionOverThreshold: { scriptLogicalName: DISCONNECTOR_SCRIPTS, scriptSelector: SUPPLY_SCRIPTS.disconnect },
          actionUnderThreshold: NO_SCRIPT,
        }),
      },
      set: {
        emergencyProfile: ({ emergencyProfileId: profileId, emergencyActivationTime, emergencyDuration }, meter) => {
          const from = instantOf(emergencyActivationTime, deviationMinutes(meter.profile, meter.now()));
          if (from === undefined || profileId !== EMERGENCY_PROFILE) return refuse("other-reason");
          const { emergency: _, ...rest } = meter.settings;
          const of = { profileId, from: Math.floor(from / 1000), seconds: emergencyDuration };
          meter.changeSettings(emergencyDuration === 0 ? rest : { ...rest, emergency: of });
          return undefined;
        },
        thresholdNormal: (value, meter) => {
          if (value.type !== "double-long-unsigned") return refuse("type-unmatched");
          meter.changeSettings({ ...meter.settings, limiterThresholdW: value.value });
          return undefined;
        },
        thresholdEmergency: (value, meter) => {
          if (value.type !== "double-long-unsigned") return refuse("type-unmatched");
          meter.changeSettings({ ...meter.settings, limiterEmergencyW: value.value });
          return undefined;
        },
        minOverThresholdDuration: (limiterSeconds, meter) => {
          meter.changeSettings({ ...meter.settings, limiterSeconds });
        },
        minUnderThresholdDuration: (limiterUnderSeconds, meter) => {
          meter.changeSettings({ ...meter.settings, limiterUnderSeconds });
        },
      },
    }),
  );
}

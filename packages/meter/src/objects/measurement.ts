import {
  type CaptureObject,
  encodedData,
  type ModelObject,
  mount,
  Register,
  type ServedClass,
  serveProfile,
  Writer,
} from "@meterkeep/dlms";
import { captureObject, captureObjects } from "../profile/capture-objects.ts";
import type { Column, CompanionProfile, ProfileFacts } from "../profile/companion-profile.ts";
import { QUANTITIES, type QuantityName } from "../profile/quantity.ts";
import {
  cellWriter,
  dailyProfileRows,
  deviationMinutes,
  eventRows,
  loadProfileRows,
  periodicRows,
  statusAt,
} from "../profile/rows.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { clockObject } from "./clock.ts";
import { data } from "./identity.ts";

/** Clock, registers, status, profiles and event logs. */
export function measurementObjects(
  profile: CompanionProfile,
  phases: 1 | 3,
  relay: boolean,
): ModelObject<VirtualMeter>[] {
  const registers = profile.registers.filter((name) => {
    const quantity = QUANTITIES[name];
    if (name === "loadSideVoltage") return relay;
    return !("phase" in quantity) || quantity.phase === undefined || quantity.phase <= phases;
  });
  // What a profile captures can also be read on its own.
  const quality = qualityColumns(profile, phases);
  const captured = [...profile.loadProfile.columns, ...quality].filter(
    (column) => column !== "clock" && column !== "status",
  );
  return [
    clockObject(),
    data(profile.status.obis, (meter) => ({
      type: profile.status.type,
      value: statusAt(profile, meter, meter.now()),
    })),
    ...[...new Set([...registers, ...captured])].map((name) => register(profile, name)),
    loadProfile(profile),
    dailyProfile(profile),
    ...(profile.qualityProfile === undefined ? [] : [qualityProfile(profile, profile.qualityProfile, quality)]),
    ...profile.logs.flatMap((facts, log) => eventLog(profile, facts, log)),
  ];
}

function register(profile: CompanionProfile, name: QuantityName): ModelObject<VirtualMeter> {
  const { obis, kind, unit } = QUANTITIES[name];
  const write = cellWriter(profile, name);
  return mount(
    obis,
    Register.serve<VirtualMeter>({
      get: {
        value: (meter) => {
          const writer = new Writer(8);
          write(writer, meter, meter.now());
          return encodedData(writer.finish());
        },
        scalerUnit: () => ({ scaler: profile.scalers[kind], unit }),
      },
    }),
  );
}

function loadProfile(profile: CompanionProfile): ModelObject<VirtualMeter> {
  const { obis, capturePeriodSeconds, capacity, columns } = profile.loadProfile;
  const cells = columns.map((column) => cellWriter(profile, column));
  const served = serveProfile<VirtualMeter>({
    columns: captureObjects(profile, columns),
    capturePeriod: capturePeriodSeconds,
    profileEntries: capacity,
    deviation: deviationMinutes(profile, 0),
    rows: (meter) => loadProfileRows(meter, capacity, cells),
  });
  return mount(obis, restricted(served, profile.loadProfile));
}

function dailyProfile(profile: CompanionProfile): ModelObject<VirtualMeter> {
  const { obis, capturePeriodSeconds, capacity, columns } = profile.dailyProfile;
  const cells = columns.map((column) => cellWriter(profile, column));
  const served = serveProfile<VirtualMeter>({
    columns: captureObjects(profile, columns),
    capturePeriod: capturePeriodSeconds,
    profileEntries: capacity,
    deviation: deviationMinutes(profile, 0),
    rows: (meter) => dailyProfileRows(profile, meter, cells),
  });
  return mount(obis, restricted(served, profile.dailyProfile));
}

/** Columns of power quality: those of phases that are connected. */
function qualityColumns({ qualityProfile: facts }: CompanionProfile, phases: 1 | 3): readonly Column[] {
  return (facts?.columns ?? []).filter((column) => {
    if (column === "clock" || column === "status") return true;
    const { phase } = QUANTITIES[column] as { readonly phase?: number };
    return phase === undefined || phase <= phases;
  });
}

function qualityProfile(
  profile: CompanionProfile,
  facts: ProfileFacts,
  columns: readonly Column[],
): ModelObject<VirtualMeter> {
  const { obis, capturePeriodSeconds, capacity } = facts;
  const cells = columns.map((column) => cellWriter(profile, column));
  const served = serveProfile<VirtualMeter>({
    columns: captureObjects(profile, columns),
    capturePeriod: capturePeriodSeconds,
    profileEntries: capacity,
    deviation: deviationMinutes(profile, 0),
    rows: (meter) => periodicRows(meter, { capacity, periodSeconds: capturePeriodSeconds }, cells),
  });
  return mount(obis, restricted(served, facts));
}

function eventLog(
  profile: CompanionProfile,
  facts: CompanionProfile["logs"][number],
  log: number,
): ModelObject<VirtualMeter>[] {
  const codeColumn: CaptureObject = { classId: 1, logicalName: facts.codeObis, attributeIndex: 2, dataIndex: 0 };
  return [
    data(facts.codeObis, (meter) => ({ type: "long-unsigned", value: meter.events.of(log).at(-1)?.code ?? 0 })),
    mount(
      facts.obis,
      serveProfile<VirtualMeter>({
        columns: [captureObject(profile, "clock"), codeColumn],
        capturePeriod: 0,
        profileEntries: facts.capacity,
        deviation: deviationMinutes(profile, 0),
        rows: (meter) => eventRows(profile, meter.events.of(log)),
      }),
    ),
  ];
}

const SELECTORS = { range: 1, entry: 2 } as const;
const BUFFER = 2;

/** The profile with only the ways of selection that meters of this companion profile know. */
function restricted(served: ServedClass<VirtualMeter>, { selection }: ProfileFacts): ServedClass<VirtualMeter> {
  const known = selection.map((name): number => SELECTORS[name]);
  return {
    ...served,
    attributes: served.attributes.map((attribute) => {
      if (attribute?.index !== BUFFER) return attribute;
      return {
        ...attribute,
        selectors: known,
        read: (writer, meter, context, descriptor) =>
          descriptor !== undefined && !known.includes(descriptor.selector)
            ? "scope-of-access-violated"
            : attribute.read(writer, meter, context, descriptor),
      };
    }),
  };
}

import type { CompanionProfile } from "./companion-profile.ts";
import { IDIS_P2 } from "./idis-p2.ts";

/** A meter in the manner of MetCom's MCS301: reactive energies beside active ones, 190 days of quarter hours, keys one by one. */
export const METCOM_MCS301: CompanionProfile = {
  ...IDIS_P2,
  id: "metcom-mcs301",
  name: "MetCom MCS301",
  models: { singlePhase: "MKV-M100", threePhase: "MKV-M301", transformer: "MKV-T900" },
  generalProtection: false,
  securitySetupVersion: 0,
  associationVersion: 1,
  mBusVersion: 0,
  keysPerTransfer: 1,
  scalers: { energy: 0, power: 0, voltage: -2, current: -3, powerFactor: -3, frequency: -2 },
  status: { obis: "0.0.96.10.1.255", type: "long-unsigned" },
  loadProfile: {
    obis: "1.0.99.1.0.255",
    capturePeriodSeconds: 900,
    capacity: 18_240,
    columns: ["clock", "status", "activeImport", "activeExport", "reactiveImport", "reactiveExport"],
    selection: ["range", "entry"],
  },
  dailyProfile: {
    obis: "0.0.98.1.0.255",
    capturePeriodSeconds: 86_400,
    capacity: 215,
    columns: ["clock", "activeImport", "activeImportHigh", "activeImportLow", "activeExport"],
    selection: ["range", "entry"],
  },
  qualityProfile: {
    obis: "1.0.99.133.0.255",
    capturePeriodSeconds: 600,
    capacity: 4464,
    columns: ["clock", "averageVoltageL1", "averageVoltageL2", "averageVoltageL3"],
    selection: ["range", "entry"],
  },
  logs: IDIS_P2.logs.filter(({ name }) => name !== "security" && name !== "communication"),
};

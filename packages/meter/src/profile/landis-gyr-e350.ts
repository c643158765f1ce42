import type { CompanionProfile } from "./companion-profile.ts";
import { DSMR_5 } from "./dsmr-5.ts";

/** No profile of power quality. */
const { qualityProfile: _, ...WITHOUT_QUALITY } = DSMR_5;

/** A meter in the manner of Landis+Gyr's E350 over the wrapper: service-specific ciphering with arrays of keys, a month of quarter hours. */
export const LANDIS_GYR_E350: CompanionProfile = {
  ...WITHOUT_QUALITY,
  id: "landis-gyr-e350",
  name: "Landis+Gyr E350",
  models: { singlePhase: "MKV-L100", threePhase: "MKV-L350", transformer: "MKV-T900" },
  maxReceivePduSizeBytes: 512,
  associationVersion: 2,
  mBusVersion: 1,
  keysPerTransfer: 4,
  loadProfile: {
    obis: "1.0.99.1.0.255",
    capturePeriodSeconds: 900,
    capacity: 2880,
    columns: ["clock", "status", "activeImport", "activeExport"],
    selection: ["range", "entry"],
  },
  dailyProfile: { ...DSMR_5.dailyProfile, obis: "0.0.98.1.0.255", selection: ["range", "entry"] },
  disconnectMode: 2,
  push: { obis: "0.0.25.9.0.255", columns: ["clock", "activeImport", "activeExport"], transport: "tcp" },
};

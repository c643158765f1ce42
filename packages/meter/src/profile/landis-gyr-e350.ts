import type { CompanionProfile } from "./companion-profile.ts";
import { DSMR_5 } from "./dsmr-5.ts";

/** A meter in the manner of Landis+Gyr's E350 over the wrapper: service-specific ciphering with arrays of keys, powers in the load profile. */
export const LANDIS_GYR_E350: CompanionProfile = {
  ...DSMR_5,
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

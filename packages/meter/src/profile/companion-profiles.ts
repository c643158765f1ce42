import { MeterError } from "../errors.ts";
import type { CompanionProfile } from "./companion-profile.ts";
import { DSMR_5 } from "./dsmr-5.ts";
import { IDIS_P2 } from "./idis-p2.ts";
import { IDIS_P2_SERVICE } from "./idis-p2-service.ts";
import { IDIS_P3 } from "./idis-p3.ts";
import { IS_15959 } from "./is15959.ts";
import { LANDIS_GYR_E350 } from "./landis-gyr-e350.ts";
import { METCOM_MCS301 } from "./metcom-mcs301.ts";

/** All companion profiles by id. */
export const COMPANION_PROFILES: Readonly<Record<string, CompanionProfile>> = {
  [IDIS_P2.id]: IDIS_P2,
  [IDIS_P2_SERVICE.id]: IDIS_P2_SERVICE,
  [IDIS_P3.id]: IDIS_P3,
  [DSMR_5.id]: DSMR_5,
  [IS_15959.id]: IS_15959,
  [METCOM_MCS301.id]: METCOM_MCS301,
  [LANDIS_GYR_E350.id]: LANDIS_GYR_E350,
};

/** The profile of the id. Throws `meter-profile-unknown`. */
export function companionProfile(id: string): CompanionProfile {
  const profile = Object.hasOwn(COMPANION_PROFILES, id) ? COMPANION_PROFILES[id] : undefined;
  if (profile === undefined) {
    const known = Object.keys(COMPANION_PROFILES).join(", ");
    throw new MeterError("meter-profile-unknown", `No companion profile is called "${id}"; known are ${known}.`);
  }
  return profile;
}

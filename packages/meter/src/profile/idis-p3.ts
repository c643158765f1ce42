import type { CompanionProfile } from "./companion-profile.ts";
import { IDIS_P2 } from "./idis-p2.ts";

/**
 * A meter in the manner of IDIS package 3: that of package 2 with key pairs, certificates and a client that proves itself
 * by signature. Of suite 1 or 2, as the meter was ordered.
 */
export const IDIS_P3: CompanionProfile = {
  ...IDIS_P2,
  id: "idis-p3",
  name: "IDIS package 3",
  models: { singlePhase: "MKV-C120", threePhase: "MKV-C360", transformer: "MKV-T930" },
  signingClient: 3,
  associationVersion: 3,
};

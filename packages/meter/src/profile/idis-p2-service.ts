import type { CompanionProfile } from "./companion-profile.ts";
import { IDIS_P2 } from "./idis-p2.ts";

/** A meter in the manner of IDIS package 2 whose service client has a security setup of its own. */
export const IDIS_P2_SERVICE: CompanionProfile = {
  ...IDIS_P2,
  id: "idis-p2-service",
  name: "IDIS package 2 with a service setup",
  models: { singlePhase: "MKV-I121", threePhase: "MKV-I361", transformer: "MKV-T900" },
  furtherSetups: [{ setup: 1, client: { name: "service", clientSap: 5, object: "0.0.40.0.5.255" } }],
};

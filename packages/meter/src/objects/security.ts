import { type ModelObject, mount, serveSecuritySetup, serveSecuritySetupV0 } from "@meterkeep/dlms";
import type { CompanionProfile } from "../profile/companion-profile.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { COUNTER_OBJECT, SECURITY_SETUP } from "../well-known.ts";
import { data } from "./identity.ts";

/** Security setup and counter object. */
export function securityObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  return [
    mount(SECURITY_SETUP, profile.securitySetupVersion === 0 ? serveSecuritySetupV0() : serveSecuritySetup()),
    data(COUNTER_OBJECT, ({ security }) => ({ type: "double-long-unsigned", value: security.lastReceived })),
  ];
}

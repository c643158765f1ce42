import { type ModelObject, mount, serveSecuritySetup, serveSecuritySetupV0 } from "@meterkeep/dlms";
import type { CompanionProfile } from "../profile/companion-profile.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { data } from "./identity.ts";

/** The security setup of management and reading clients. */
export const SECURITY_SETUP = "0.0.43.0.0.255";
/** The counter object that belongs to it. */
export const COUNTER_OBJECT = "0.0.43.1.0.255";

/** Security setup and counter object. */
export function securityObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  return [
    mount(SECURITY_SETUP, profile.securitySetupVersion === 0 ? serveSecuritySetupV0() : serveSecuritySetup()),
    data(COUNTER_OBJECT, ({ security }) => ({ type: "double-long-unsigned", value: security.lastReceived })),
  ];
}

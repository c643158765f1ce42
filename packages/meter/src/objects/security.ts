import {
  AssociationLnV1,
  type ModelObject,
  mount,
  type ServedClass,
  serveSecuritySetup,
  serveSecuritySetupV0,
} from "@meterkeep/dlms";
import type { CompanionProfile } from "../profile/companion-profile.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { COUNTER_OBJECT, SECURITY_SETUP } from "../well-known.ts";
import { data } from "./identity.ts";

/** Security setup and counter object. */
export function securityObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  return [
    mount(SECURITY_SETUP, profile.securitySetupVersion === 0 ? serveSecuritySetupV0() : serveSecuritySetup()),
    ...profile.secretClients.map(({ object, name }) => mount(object, associationOf(name))),
    data(COUNTER_OBJECT, ({ security }) => ({ type: "double-long-unsigned", value: security.lastReceived })),
  ];
}

/** The association object of a client, as the management client sees it: there to give the client another secret. */
function associationOf(client: string): ServedClass<VirtualMeter> {
  return AssociationLnV1.serve<VirtualMeter>({
    set: { secret: (octets, meter) => meter.changeSecret(client, octets) },
    call: { changeHlsSecret: (octets, meter) => meter.changeSecret(client, octets) },
  });
}

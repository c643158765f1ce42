import {
  AssociationLnV1,
  type ModelObject,
  mount,
  type ServedClass,
  serveSecuritySetup,
  serveSecuritySetupV0,
} from "@meterkeep/dlms";
import type { CompanionProfile, FurtherSetupFacts } from "../profile/companion-profile.ts";
import type { VirtualMeter } from "../virtual-meter.ts";
import { COUNTER_OBJECT, furtherCounterName, furtherSetupName, SECURITY_SETUP, SERVER_SAP } from "../well-known.ts";
import { data } from "./identity.ts";

/** Security setups and their counter objects, and the association objects of clients. */
export function securityObjects(profile: CompanionProfile): ModelObject<VirtualMeter>[] {
  const served: ServedClass<VirtualMeter> =
    profile.securitySetupVersion === 0 ? serveSecuritySetupV0() : serveSecuritySetup();
  return [
    mount(SECURITY_SETUP, served),
    ...(profile.furtherSetups ?? []).flatMap((facts) => [
      mount(furtherSetupName(facts.setup), served),
      mount(facts.client.object, ofFurther(facts)),
      data(furtherCounterName(facts.setup), ({ setups }) => ({
        type: "double-long-unsigned",
        value: setups.get(facts.setup)?.lastReceived ?? 0,
      })),
    ]),
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

/** joint-iso-ccitt(2) country(16) country-name(756) identified-organization(5) DLMS-UA(8) mechanism-name(2) high-gmac(5). */
const GMAC = Uint8Array.of(0x60, 0x85, 0x74, 0x05, 0x08, 0x02, 0x05);

/** The association object of the client of a further security setup: who it is, how it opens, and under which setup. */
function ofFurther({ setup, client }: FurtherSetupFacts): ServedClass<VirtualMeter> {
  return AssociationLnV1.serve<VirtualMeter>({
    get: {
      associatedPartnersId: () => ({ clientSap: client.clientSap, serverSap: SERVER_SAP }),
      authenticationMechanismName: () => ({ type: "octet-string", value: GMAC }),
      securitySetupReference: () => furtherSetupName(setup),
    },
  });
}

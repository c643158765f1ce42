import {
  type AssociationDefinition,
  type DeviceModel,
  deviceModel,
  fullAccess,
  type ModelObject,
  OFFERED_CONFORMANCE,
  onlyReading,
  readOnly,
} from "@meterkeep/dlms";
import { ableToLie } from "./lying.ts";
import { communicationObjects } from "./objects/communication.ts";
import { identityObjects } from "./objects/identity.ts";
import { loadRelayObjects } from "./objects/load-relay.ts";
import { mBusObjects } from "./objects/m-bus.ts";
import { measurementObjects } from "./objects/measurement.ts";
import { securityObjects } from "./objects/security.ts";
import { supplyObjects } from "./objects/supply.ts";
import { tariffObjects } from "./objects/tariff.ts";
import { transformerRatioObjects } from "./objects/transformer-ratio.ts";
import type { ProductionRecord } from "./production.ts";
import type { CompanionProfile } from "./profile/companion-profile.ts";
import { companionProfile } from "./profile/companion-profiles.ts";
import type { VirtualMeter } from "./virtual-meter.ts";
import { COUNTER_OBJECT, furtherCounterName, furtherSetupName, SECURITY_SETUP } from "./well-known.ts";

/** Service access points that all profiles share. */
export const CLIENT_SAPS = { public: 16, management: 1 } as const;

/** The kind of a meter: all meters of one kind share one model. */
export type MeterKind = Pick<ProductionRecord, "profile" | "role" | "phases">;

/** Everything a meter of the kind has, before access rights. */
export function meterObjects(kind: MeterKind): readonly ModelObject<VirtualMeter>[] {
  const profile = companionProfile(kind.profile);
  const relay = kind.role === "home";
  return [
    ...identityObjects(),
    ...measurementObjects(profile, kind.phases, relay),
    ...securityObjects(profile),
    ...tariffObjects(),
    ...(relay ? [...supplyObjects(), ...loadRelayObjects(), ...mBusObjects(profile)] : transformerRatioObjects()),
    ...communicationObjects(profile),
  ];
}

function associations(profile: CompanionProfile): AssociationDefinition[] {
  const conformance = OFFERED_CONFORMANCE.filter(
    (bit) =>
      (bit !== "multiple-references" || profile.lists) &&
      (bit !== "general-protection" || profile.generalProtection) &&
      (bit !== "general-block-transfer" || profile.generalBlockTransfer),
  );
  const common = {
    conformance,
    maxReceivePduSize: profile.maxReceivePduSizeBytes,
    associationVersion: profile.associationVersion,
  } as const;
  const further = profile.furtherSetups ?? [];
  const counters = further.map(({ setup }) => furtherCounterName(setup));
  const secured = { ...common, authentication: { kind: "gmac" }, securitySetup: SECURITY_SETUP } as const;
  return [
    {
      ...common,
      name: "public",
      clientSap: CLIENT_SAPS.public,
      authentication: { kind: "none" },
      access: onlyReading("0.0.42.0.0.255", "0.0.1.0.0.255", COUNTER_OBJECT, ...counters),
    },
    { ...secured, name: "management", clientSap: CLIENT_SAPS.management, access: fullAccess },
    ...(profile.signingClient === undefined ? [] : [signing(secured, profile.signingClient)]),
    ...profile.secretClients.map(
      ({ name, clientSap, authentication }): AssociationDefinition => ({
        ...common,
        name,
        clientSap,
        authentication: authentication === "lls" ? { kind: "lls" } : { kind: "hls", mechanism: "high" },
        access: onlyReading("0.0.42.0.0.255", "0.0.96.1.0.255", "0.0.1.0.0.255"),
      }),
    ),
    ...further.map(({ setup, client: { name, clientSap } }): AssociationDefinition => {
      const own = furtherSetupName(setup);
      return {
        ...common,
        name,
        clientSap,
        authentication: { kind: "gmac" },
        securitySetup: own,
        access: ({ logicalName }) => ({ read: "all", call: logicalName === own ? "all" : "none" }),
      };
    }),
    ...profile.readingClients.map((clientSap) => ({ ...secured, name: "reading", clientSap, access: readOnly })),
  ];
}

function signing<C extends object>(secured: C, clientSap: number) {
  const authentication = { kind: "hls", mechanism: "high-ecdsa" } as const;
  return { ...secured, name: "signing", clientSap, authentication, access: fullAccess } as const;
}

/** Models by kind, each built when the first meter of the kind comes up. */
export class MeterModels {
  readonly #models = new Map<string, DeviceModel<VirtualMeter>>();

  of(kind: MeterKind): DeviceModel<VirtualMeter> {
    const name = `${kind.profile} ${kind.role} ${kind.phases}`;
    const known = this.#models.get(name);
    if (known !== undefined) return known;
    const made = deviceModel<VirtualMeter>({
      objects: meterObjects(kind).map((object) => ableToLie(object, ({ faults }) => faults.lies)),
      associations: associations(companionProfile(kind.profile)),
    });
    this.#models.set(name, made);
    return made;
  }
}

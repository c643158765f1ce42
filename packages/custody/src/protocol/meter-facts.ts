import type { CipheringForm } from "@meterkeep/dlms";

/** What the custodian must know of a companion profile to converse with its meters. */
export interface MeterFacts {
  readonly managementClientSap: number;
  readonly publicClientSap: number;
  readonly serverSap: number;
  /** How requests are protected. */
  readonly form: CipheringForm;
  /** Whether key_transfer takes several keys at once. */
  readonly arrays: boolean;
}

const COMMON = { managementClientSap: 1, publicClientSap: 16, serverSap: 1 } as const;

/** Companion profiles by the id that shipments use. */
const PROFILES: Readonly<Record<string, MeterFacts>> = {
  "idis-p2": { ...COMMON, form: "general-global", arrays: true },
  "dsmr-5": { ...COMMON, form: "global", arrays: false },
  is15959: { ...COMMON, form: "global", arrays: true },
};

/** Of a profile that is not known the least is assumed: what every meter can do. */
export const LEAST_FACTS: MeterFacts = { ...COMMON, form: "global", arrays: false };

/** The facts of a profile. */
export function meterFacts(profile: string): MeterFacts {
  return Object.hasOwn(PROFILES, profile) ? (PROFILES[profile] as MeterFacts) : LEAST_FACTS;
}

/** Objects that identify a meter: class, logical name, attribute. */
export const IDENTITY_OBJECTS = {
  logicalDeviceName: { classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 },
  serialNumber: { classId: 1, logicalName: "0.0.96.1.0.255", attributeId: 2 },
} as const;

/** The last counter a security setup has accepted, for the public client. */
export function counterObject(setup: number) {
  return { classId: 1, logicalName: `0.0.43.1.${setup}.255`, attributeId: 2 } as const;
}

/** The logical name of a security setup. */
export function securitySetupName(setup: number): string {
  return `0.0.43.0.${setup}.255`;
}

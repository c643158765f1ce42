import type { CipheringForm } from "@meterkeep/dlms";

/** How meters of one companion specification are reached; every field can be set by an option of its own. */
export interface AccessProfile {
  readonly title: string;
  /** The client that may do everything. */
  readonly clientSap: number;
  readonly publicSap: number;
  readonly serverSap: number;
  readonly form: CipheringForm;
  /** Objects that show the last counter accepted from a client, tried in this order. */
  readonly counterObjects: readonly string[];
}

const COMMON = { clientSap: 1, publicSap: 16, serverSap: 1, form: "global" } as const;

/** Profiles by the name that `--profile` takes. */
export const ACCESS_PROFILES = {
  standard: {
    ...COMMON,
    title: "as the Green Book has it: public client 16, management client 1",
    counterObjects: ["0.0.43.1.0.255", "0.0.43.1.1.255"],
  },
  idis: {
    ...COMMON,
    title: "IDIS package 2 and 3: general protection",
    form: "general-global",
    counterObjects: ["0.0.43.1.0.255", "0.0.43.1.1.255"],
  },
  dsmr5: { ...COMMON, title: "DSMR 5, P3 port", counterObjects: ["0.0.43.1.0.255"] },
  is15959: {
    ...COMMON,
    title: "IS 15959, utility settings client 48",
    clientSap: 48,
    counterObjects: ["0.0.43.1.3.255", "0.0.43.1.0.255"],
  },
} as const satisfies Readonly<Record<string, AccessProfile>>;

export type AccessProfileName = keyof typeof ACCESS_PROFILES;
export const DEFAULT_ACCESS_PROFILE: AccessProfileName = "standard";

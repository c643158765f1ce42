/**
 * The tags of protected APDUs (Green Book 9.5, xDLMS-APDU): each plain APDU, its form under the global and under the
 * dedicated key. What has no row (data-notification, ACCESS, event-notification's relatives) is protected by general-* only.
 */
export const SERVICE_TAGS = [
  { name: "initiate-request", plain: 0x01, global: 0x21, dedicated: 0x41 },
  { name: "read-request", plain: 0x05, global: 0x25, dedicated: 0x45 },
  { name: "write-request", plain: 0x06, global: 0x26, dedicated: 0x46 },
  { name: "initiate-response", plain: 0x08, global: 0x28, dedicated: 0x48 },
  { name: "read-response", plain: 0x0c, global: 0x2c, dedicated: 0x4c },
  { name: "write-response", plain: 0x0d, global: 0x2d, dedicated: 0x4d },
  { name: "confirmed-service-error", plain: 0x0e, global: 0x2e, dedicated: 0x4e },
  { name: "unconfirmed-write-request", plain: 0x16, global: 0x36, dedicated: 0x56 },
  { name: "information-report-request", plain: 0x18, global: 0x38, dedicated: 0x58 },
  { name: "get-request", plain: 0xc0, global: 0xc8, dedicated: 0xd0 },
  { name: "set-request", plain: 0xc1, global: 0xc9, dedicated: 0xd1 },
  { name: "event-notification-request", plain: 0xc2, global: 0xca, dedicated: 0xd2 },
  { name: "action-request", plain: 0xc3, global: 0xcb, dedicated: 0xd3 },
  { name: "get-response", plain: 0xc4, global: 0xcc, dedicated: 0xd4 },
  { name: "set-response", plain: 0xc5, global: 0xcd, dedicated: 0xd5 },
  { name: "action-response", plain: 0xc7, global: 0xcf, dedicated: 0xd7 },
] as const;

export const GENERAL_TAGS = {
  generalGlobal: 0xdb,
  generalDedicated: 0xdc,
  generalCiphering: 0xdd,
  generalSigning: 0xdf,
} as const;

/** How an APDU is wrapped: by a tag of its own service, or by a general one that names the originator. */
export type ProtectionForm = "global" | "dedicated" | "general-global" | "general-dedicated";

type Row = (typeof SERVICE_TAGS)[number];
const BY_PLAIN = new Map<number, Row>(SERVICE_TAGS.map((row) => [row.plain, row]));
const BY_PROTECTED = new Map<number, { form: "global" | "dedicated"; row: Row }>(
  SERVICE_TAGS.flatMap((row) => [
    [row.global, { form: "global", row }] as const,
    [row.dedicated, { form: "dedicated", row }] as const,
  ]),
);

/** The tag of a plain APDU under a service-specific form; undefined where there is none. */
export function protectedTag(plainTag: number, form: "global" | "dedicated"): number | undefined {
  return BY_PLAIN.get(plainTag)?.[form];
}

/** The form and the plain tag behind a service-specific protected tag; undefined when it is none. */
export function plainTagOf(tag: number): { readonly form: "global" | "dedicated"; readonly plain: number } | undefined {
  const found = BY_PROTECTED.get(tag);
  return found === undefined ? undefined : { form: found.form, plain: found.row.plain };
}

/** How the APDU that starts with this tag is protected; undefined when it is plain. */
export function protectionFormOf(tag: number): ProtectionForm | "general-ciphering" | "general-signing" | undefined {
  switch (tag) {
    case GENERAL_TAGS.generalGlobal:
      return "general-global";
    case GENERAL_TAGS.generalDedicated:
      return "general-dedicated";
    case GENERAL_TAGS.generalCiphering:
      return "general-ciphering";
    case GENERAL_TAGS.generalSigning:
      return "general-signing";
    default:
      return plainTagOf(tag)?.form;
  }
}

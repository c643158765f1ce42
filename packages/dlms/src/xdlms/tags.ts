/**
 * The services that can be ciphered: the tag of the plain APDU, of the one protected with a global key and of the one
 * protected with a dedicated key (Green Book 9.5, XDLMS-APDU ::= CHOICE).
 */
export const SERVICE_TAGS = {
  "initiate-request": { plain: 0x01, glo: 0x21, ded: 0x41 },
  "read-request": { plain: 0x05, glo: 0x25, ded: 0x45 },
  "write-request": { plain: 0x06, glo: 0x26, ded: 0x46 },
  "initiate-response": { plain: 0x08, glo: 0x28, ded: 0x48 },
  "read-response": { plain: 0x0c, glo: 0x2c, ded: 0x4c },
  "write-response": { plain: 0x0d, glo: 0x2d, ded: 0x4d },
  "confirmed-service-error": { plain: 0x0e, glo: 0x2e, ded: 0x4e },
  "unconfirmed-write-request": { plain: 0x16, glo: 0x36, ded: 0x56 },
  "information-report-request": { plain: 0x18, glo: 0x38, ded: 0x58 },
  "get-request": { plain: 0xc0, glo: 0xc8, ded: 0xd0 },
  "set-request": { plain: 0xc1, glo: 0xc9, ded: 0xd1 },
  "event-notification-request": { plain: 0xc2, glo: 0xca, ded: 0xd2 },
  "action-request": { plain: 0xc3, glo: 0xcb, ded: 0xd3 },
  "get-response": { plain: 0xc4, glo: 0xcc, ded: 0xd4 },
  "set-response": { plain: 0xc5, glo: 0xcd, ded: 0xd5 },
  "action-response": { plain: 0xc7, glo: 0xcf, ded: 0xd7 },
} as const;

export type CipherableService = keyof typeof SERVICE_TAGS;

/** The tags of APDUs that have no ciphered form of their own. */
export const GENERAL_TAGS = {
  "data-notification": 0x0f,
  aarq: 0x60,
  aare: 0x61,
  rlrq: 0x62,
  rlre: 0x63,
  "exception-response": 0xd8,
  "access-request": 0xd9,
  "access-response": 0xda,
  "general-glo-ciphering": 0xdb,
  "general-ded-ciphering": 0xdc,
  "general-ciphering": 0xdd,
  "general-signing": 0xdf,
  "general-block-transfer": 0xe0,
} as const;

/** Which key protects an APDU with a tag of its own for every service. */
export type ServiceCiphering = "glo" | "ded";

const ROWS = Object.values(SERVICE_TAGS);
const PROTECTED_TAG = {
  glo: new Map<number, number>(ROWS.map((row) => [row.plain, row.glo])),
  ded: new Map<number, number>(ROWS.map((row) => [row.plain, row.ded])),
} as const;
const PLAIN_TAG = {
  glo: new Map<number, number>(ROWS.map((row) => [row.glo, row.plain])),
  ded: new Map<number, number>(ROWS.map((row) => [row.ded, row.plain])),
} as const;

/** The tag that a plain APDU of tag `plain` gets when ciphered, or undefined where it has none. */
export function cipheredTag(plain: number, ciphering: ServiceCiphering): number | undefined {
  return PROTECTED_TAG[ciphering].get(plain);
}

/** What a ciphered tag protects, or undefined where the tag is none of these. */
export function plainTag(tag: number): { readonly ciphering: ServiceCiphering; readonly plain: number } | undefined {
  for (const ciphering of ["glo", "ded"] as const) {
    const plain = PLAIN_TAG[ciphering].get(tag);
    if (plain !== undefined) return { ciphering, plain };
  }
  return undefined;
}

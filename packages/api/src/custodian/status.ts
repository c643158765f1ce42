import { c, type Infer } from "@meterkeep/dlms";
import { longText, oneOf, record, shortText, time, wholeNumber } from "./wire.ts";

/** The public keys shipments and single keys are sealed to; the octets are SPKI DER. */
export const recipientKey = record({
  /** Lower-case hex of SHA-256 over the ECDH SPKI followed by the ML-KEM SPKI. */
  keyId: c.ascii({ max: 64 }),
  /** EC P-384. */
  ecdh: c.bytes({ max: 512 }),
  /** ML-KEM-768. */
  mlkem: c.bytes({ max: 2048 }),
});
export type RecipientKey = Infer<typeof recipientKey>;

/** The head of the custodian's ledger: how many entries its tree has, and its root. */
export const ledgerHead = record({ size: wholeNumber, root: c.fixedBytes(32) });

/** What the custodian says about itself. */
export const custodianStatus = record({
  version: shortText,
  vault: oneOf(["software", "tokens"]),
  rootKey: oneOf(["file", "passphrase", "tokens"]),
  /** True once somebody has said that a copy of the present root key is kept elsewhere. */
  rootKeyCopied: c.boolean,
  /** True when the process has an operating-system user of its own. */
  separateUser: c.boolean,
  recipient: recipientKey,
  ledgerHead,
  /** Why no key is used, or which witness of the ledger is away; absent while all is well. */
  ledgerTrouble: c.optional(record({ code: shortText, message: longText })),
  /** Meters in custody. */
  meters: wholeNumber,
  /** True while every critical command is frozen, whatever token it comes with. */
  killSwitch: c.boolean,
  /** True until the first approvers are enrolled: until then nobody has to approve a change of keys or rules. */
  founding: c.boolean,
  /** While people have lifted the caps (break-glass): until when, and why. */
  capsLifted: c.optional(record({ until: time, reason: longText })),
  /** What was refused since this start, for alarms: each should stay 0. */
  refusals: record({
    /** APDUs, and sessions, beyond a principal's budget of seals for a meter. */
    sealBudget: wholeNumber,
    /** Rows of the database that were changed, moved or put back. */
    records: wholeNumber,
    /** Ledger entries that came so fast that they were only counted. */
    entriesCounted: wholeNumber,
  }),
});
export type CustodianStatus = Infer<typeof custodianStatus>;

/** `recipient.json`: the recipient's keys as files and browsers take them, base64url SPKI DER. */
export interface RecipientFile {
  readonly keyId: string;
  readonly ecdhPublicKey: string;
  readonly mlkemPublicKey: string;
}

/** Writes the recipient's keys for `recipient.json`. */
export function recipientFile(key: RecipientKey): RecipientFile {
  return { keyId: key.keyId, ecdhPublicKey: base64url(key.ecdh), mlkemPublicKey: base64url(key.mlkem) };
}

function base64url(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

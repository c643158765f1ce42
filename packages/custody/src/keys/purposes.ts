import { KEY_PURPOSES, type KeyPurposeName } from "@meterkeep/api/custodian";

/** What is to be known of a purpose. */
export interface KeyPurpose {
  readonly words: string;
  /** How many there are at a meter. */
  readonly scope: "security setup" | "association" | "client" | "M-Bus channel" | "meter";
  /** No two meters may share one: a keyed check value is kept of each. The broadcast key is shared by design. */
  readonly unique: boolean;
  /** How a meter is given another one. */
  readonly changedBy:
    | "key_transfer"
    | "change_HLS_secret"
    | "set"
    | "set_encryption_key"
    | "certificate"
    | "association"
    | "nothing";
  /** What shows that the meter holds it. */
  readonly provenBy: "association" | "transfer under it" | "nothing" | "signature" | "handshake";
}

/**
 * The registry of key purposes: the number that the database keeps is the place in `KEY_PURPOSES`. Another purpose is a
 * row here and a name there.
 */
export const PURPOSES: Readonly<Record<KeyPurposeName, KeyPurpose>> = {
  GUEK: { words: "global unicast encryption", ...setupKey("association"), unique: true },
  GBEK: { words: "global broadcast encryption", ...setupKey("nothing"), unique: false },
  GAK: { words: "authentication", ...setupKey("association"), unique: true },
  KEK: { words: "key encryption (master)", ...setupKey("transfer under it"), unique: true },
  dedicated: {
    words: "dedicated, of one association",
    scope: "association",
    unique: true,
    changedBy: "association",
    provenBy: "association",
  },
  LLS: { words: "password of a client", ...secretOf("client"), changedBy: "set", unique: false },
  HLS: { words: "HLS secret of a client", ...secretOf("client"), changedBy: "change_HLS_secret", unique: true },
  "M-Bus": {
    words: "encryption of an M-Bus child",
    ...secretOf("M-Bus channel"),
    changedBy: "set_encryption_key",
    provenBy: "nothing",
    unique: true,
  },
  signature: { words: "digital signature", ...pair("signature") },
  "key-agreement": { words: "key agreement", ...pair("handshake") },
  TLS: { words: "TLS", ...pair("handshake") },
  "M-Bus-default": {
    words: "default of an M-Bus child, which its others are wrapped under",
    scope: "M-Bus channel",
    unique: true,
    changedBy: "nothing",
    provenBy: "nothing",
  },
};

/** The purpose that the database keeps under a number. */
export function purposeName(purpose: number): KeyPurposeName {
  const name = KEY_PURPOSES[purpose];
  if (name === undefined) throw new RangeError(`there is no key purpose ${purpose}`);
  return name;
}

/** Whether a key of this purpose is the secret of one of a meter's clients. */
export function isSecret(purpose: number): boolean {
  return PURPOSES[purposeName(purpose)].scope === "client";
}

/** Whether a key of this purpose is of the device at one of a meter's M-Bus channels. */
export function isOfChild(purpose: number): boolean {
  return PURPOSES[purposeName(purpose)].scope === "M-Bus channel";
}

/** Whether no two meters may share a key of this purpose. */
export function isUnique(purpose: number): boolean {
  return PURPOSES[purposeName(purpose)].unique;
}

function setupKey(provenBy: KeyPurpose["provenBy"]) {
  return { scope: "security setup", changedBy: "key_transfer", provenBy } as const;
}

function secretOf(scope: "client" | "M-Bus channel") {
  return { scope, provenBy: "association" } as const;
}

function pair(provenBy: "signature" | "handshake") {
  return { scope: "meter", unique: true, changedBy: "certificate", provenBy } as const;
}

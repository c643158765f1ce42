/** What the custodian says of itself, as the console shows it. Never a key. */
import { type Static, Type } from "typebox";
import { Sha256, Timestamp, words } from "./scalars.ts";

export const CustodianSummary = Type.Object({
  reachable: Type.Boolean(),
  version: Type.Optional(Type.String()),
  vault: Type.Optional(words(["software", "tokens"])),
  rootKey: Type.Optional(words(["file", "passphrase", "tokens"])),
  rootKeyCopied: Type.Optional(
    Type.Boolean({ description: "Somebody has said that a copy of the present root key is kept elsewhere" }),
  ),
  separateUser: Type.Optional(
    Type.Boolean({ description: "The custodian runs as an operating-system user of its own" }),
  ),
  meters: Type.Optional(Type.Integer()),
  killSwitch: Type.Optional(Type.Boolean({ description: "Everything critical is frozen" })),
  founding: Type.Optional(
    Type.Boolean({ description: "Nobody is enrolled to approve: changes of keys and rules take one person" }),
  ),
  capsLifted: Type.Optional(
    Type.Object(
      { until: Timestamp, reason: Type.String() },
      { description: "Break-glass: the caps hold nothing back" },
    ),
  ),
  ledgerHead: Type.Optional(Type.Object({ size: Type.Integer(), root: Sha256 })),
  ledgerTrouble: Type.Optional(
    Type.Object(
      { code: Type.String(), message: Type.String() },
      { description: "Why the custodian uses no key, or which witness of its ledger is away" },
    ),
  ),
  asOf: Timestamp,
});
export type CustodianSummary = Static<typeof CustodianSummary>;

/** Public keys of the custodian, to which keys of a meter are sealed (docs/formats/shipment.md). */
export const RecipientKeys = Type.Object({
  keyId: Sha256,
  ecdhPublicKey: Type.String({ description: "P-384 SubjectPublicKeyInfo, DER, base64url" }),
  mlkemPublicKey: Type.String({ description: "ML-KEM-768 SubjectPublicKeyInfo, DER, base64url" }),
});
export type RecipientKeys = Static<typeof RecipientKeys>;

/** Keys of one meter, sealed to the recipient by whoever had them; opened only inside the custodian. */
export const SealedMeterKeys = Type.Object(
  {
    alg: Type.Literal("ECDH-P384/HKDF-SHA384/A256GCM"),
    recipient: Type.String({ maxLength: 128 }),
    epk: Type.String({ maxLength: 512 }),
    nonce: Type.String({ maxLength: 64 }),
    sealed: Type.String({ maxLength: 2048 }),
  },
  { additionalProperties: false },
);
export type SealedMeterKeys = Static<typeof SealedMeterKeys>;

export const METER_KEY_PURPOSES = ["GUEK", "GBEK", "GAK", "KEK"] as const;

/** One key as the custodian describes it: which, how old, from where, in which state. */
export const KeyDescription = Type.Object({
  purpose: Type.String({ description: "GUEK, GBEK, GAK or KEK" }),
  version: Type.Integer(),
  state: Type.String({ description: "For example active, candidate, retired, destroyed" }),
  origin: Type.String({ description: "For example factory, custodian, added" }),
  createdAt: Timestamp,
  provenAt: Type.Optional(Timestamp),
  setup: Type.Optional(
    Type.Integer({ description: "The security setup that it is a key of, where that is not the first" }),
  ),
});
export type KeyDescription = Static<typeof KeyDescription>;

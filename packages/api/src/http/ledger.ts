/** The two audit logs: the custodian's (key use, refusals) and the head-end's (people, trust, meters). */
import { type Static, Type } from "typebox";
import { Sequence, Sha256, SystemTitleText, Timestamp, words } from "./scalars.ts";

export const LEDGER_SOURCES = ["custodian", "head-end"] as const;

/** The custodian's bookkeeping, which sessions and pushes bring by the hundred: in the ledger, never told one by one. */
export const ROUTINE_LEDGER_KINDS: ReadonlySet<string> = new Set([
  "session-opened",
  "session-closed",
  "takeover-contact-opened",
  "takeover-contact-closed",
  "takeover-recorded",
  "rotation-contact-opened",
  "rotation-contact-closed",
  "keys-prepared",
  "key-states-changed",
  "pushes-opened",
  "counters-reserved",
  "head-end-ledger-noted",
]);

export const LedgerWindow = Type.Object(
  {
    source: Type.Optional(words(LEDGER_SOURCES)),
    after: Type.Optional(Sequence("Entries with a higher sequence")),
    before: Type.Optional(Sequence("Entries with a lower sequence, newest first")),
    meter: Type.Optional(SystemTitleText),
    routine: Type.Optional(
      Type.Boolean({
        description: "false leaves the bookkeeping of sessions, pushes and counters out; true unless told",
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  },
  { additionalProperties: false },
);
export type LedgerWindow = Static<typeof LedgerWindow>;

export const LedgerRow = Type.Object({
  sequence: Type.Integer(),
  at: Timestamp,
  kind: Type.String(),
  principal: Type.String(),
  utility: Type.String({ description: "Whose it is; `*` for the installation itself" }),
  island: Type.String({ description: "`*` for the installation itself" }),
  meter: Type.Optional(SystemTitleText),
  body: Type.String({ description: "JSON text, exactly as it was hashed" }),
  leaf: Sha256,
});
export type LedgerRow = Static<typeof LedgerRow>;

export const LedgerPage = Type.Object({
  source: words(LEDGER_SOURCES),
  head: Type.Optional(Type.Object({ size: Type.Integer(), root: Sha256 })),
  entries: Type.Array(LedgerRow),
  older: Type.Optional(
    Type.Integer({ description: "Where the look back ended: `before` of the next page. Absent at the beginning" }),
  ),
});
export type LedgerPage = Static<typeof LedgerPage>;

export const LedgerCheckpoint = Type.Object({
  size: Type.Integer(),
  note: Type.String({ description: "The signed note: text, empty line, signatures (docs/formats/ledger.md)" }),
  cosignatures: Type.Array(
    Type.Object({ witness: Type.String(), lines: Type.String({ description: "Two lines of signatures" }) }),
  ),
});
export type LedgerCheckpoint = Static<typeof LedgerCheckpoint>;

export const LedgerCheckpoints = Type.Object({ checkpoints: Type.Array(LedgerCheckpoint) });
export type LedgerCheckpoints = Static<typeof LedgerCheckpoints>;

export const LedgerProof = Type.Object({ hashes: Type.Array(Sha256) });
export type LedgerProof = Static<typeof LedgerProof>;

export const LedgerKeysView = Type.Object({
  version: Type.Integer(),
  ecdsa: Type.Array(Type.String(), { description: "P-384, SPKI DER, base64; any one of them signs" }),
  mldsa: Type.String({ description: "ML-DSA-65, SPKI DER, base64" }),
  announcedAt: Type.Integer({ description: "Sequence of the entry that announces them; 0 where that was changed" }),
});
export type LedgerKeysView = Static<typeof LedgerKeysView>;

export const LedgerWitnessView = Type.Object({
  name: Type.String(),
  kind: words(["file", "instance"]),
  state: words(["unknown", "current", "away"]),
  size: Type.Optional(Type.Integer({ description: "Entries it has seen" })),
  since: Timestamp,
  problem: Type.Optional(Type.String()),
});
export type LedgerWitnessView = Static<typeof LedgerWitnessView>;

export const LedgerState = Type.Object({
  log: Type.Optional(Type.String({ description: "Name of the ledger; follows from its first keys" })),
  size: Type.Integer(),
  root: Sha256,
  keys: Type.Array(LedgerKeysView),
  checkpoint: Type.Optional(LedgerCheckpoint),
  witnesses: Type.Array(LedgerWitnessView),
  halt: Type.Optional(
    Type.Object(
      { code: Type.String(), message: Type.String() },
      { description: "Why nothing is written and no key is used" },
    ),
  ),
  wanted: Type.Optional(
    Type.String({ description: "The change that two people would have to approve, as JSON without their reason" }),
  ),
});
export type LedgerState = Static<typeof LedgerState>;

/** The two audit logs: the custodian's (key use, refusals) and the head-end's (people, trust, meters). */
import { type Static, Type } from "typebox";
import { Sequence, Sha256, SystemTitleText, Timestamp, words } from "./scalars.ts";

export const LEDGER_SOURCES = ["custodian", "head-end"] as const;

export const LedgerWindow = Type.Object(
  {
    source: Type.Optional(words(LEDGER_SOURCES)),
    after: Type.Optional(Sequence("Entries with a higher sequence")),
    before: Type.Optional(Sequence("Entries with a lower sequence, newest first")),
    meter: Type.Optional(SystemTitleText),
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
  hash: Sha256,
  previousHash: Sha256,
});
export type LedgerRow = Static<typeof LedgerRow>;

export const LedgerPage = Type.Object({
  source: words(LEDGER_SOURCES),
  head: Type.Optional(Type.Object({ sequence: Type.Integer(), hash: Sha256 })),
  entries: Type.Array(LedgerRow),
});
export type LedgerPage = Static<typeof LedgerPage>;

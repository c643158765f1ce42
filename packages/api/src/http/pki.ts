/** The PKI, as administrators and the public see it. */
import { type Static, Type } from "typebox";
import { PlainText, SystemTitleText, Timestamp, words } from "./scalars.ts";

const HexText = Type.String({ pattern: "^[0-9a-f]{2,64}$", description: "Lower-case hex" });
export const CERTIFICATE_STATE_WORDS = ["ordered", "valid", "revoked", "expired"] as const;
const CertificateState = words([...CERTIFICATE_STATE_WORDS]);

export const AuthorityView = Type.Object({
  authority: HexText,
  name: Type.String(),
  utility: Type.String({ description: "`*` above the utilities" }),
  island: Type.String({ description: "`*` above the islands" }),
  profile: Type.String(),
  parent: Type.Optional(HexText),
  keyPlace: words(["vault", "token", "offline"]),
  state: words(["standing", "held", "revoked"]),
  why: Type.Optional(Type.String()),
  createdAt: Timestamp,
});
export type AuthorityView = Static<typeof AuthorityView>;
export const AuthorityList = Type.Object({
  authorities: Type.Array(AuthorityView),
  address: Type.String({ description: "Where lists, answers and certificates are published" }),
});
export type AuthorityList = Static<typeof AuthorityList>;

export const CertificateView = Type.Object({
  authority: HexText,
  serial: HexText,
  utility: Type.String(),
  island: Type.String(),
  profile: Type.String(),
  subject: Type.String(),
  systemTitle: Type.Optional(SystemTitleText),
  keyIdentifier: HexText,
  requester: Type.String(),
  notBefore: Timestamp,
  notAfter: Type.Optional(Timestamp),
  orderedAt: Timestamp,
  state: CertificateState,
  revokedAt: Type.Optional(Timestamp),
  reason: Type.Optional(Type.String()),
});
export type CertificateView = Static<typeof CertificateView>;

export const CertificateQuery = Type.Object(
  {
    authority: Type.Optional(HexText),
    serial: Type.Optional(HexText),
    key: Type.Optional(HexText),
    systemTitle: Type.Optional(SystemTitleText),
    subject: Type.Optional(PlainText({ maxLength: 200, description: "The beginning of the subject" })),
    state: Type.Optional(CertificateState),
    endsWithinDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 40_000 })),
    after: Type.Optional(
      Type.String({
        pattern: "^\\d{1,16}/[0-9a-f]{2,64}/[0-9a-f]{2,64}$",
        description: "`next` of the page before",
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
  },
  { additionalProperties: false },
);
export type CertificateQuery = Static<typeof CertificateQuery>;
export const CertificateList = Type.Object({
  certificates: Type.Array(CertificateView),
  next: Type.Optional(Type.String()),
});
export type CertificateList = Static<typeof CertificateList>;

export const ExpiryBoard = Type.Object({
  asOf: Timestamp,
  withinDays: Type.Array(Type.Integer(), { description: "Columns; the last one is everything after them" }),
  rows: Type.Array(Type.Object({ profile: Type.String(), counts: Type.Array(Type.Integer()) })),
});
export type ExpiryBoard = Static<typeof ExpiryBoard>;

export const RevocationEffect = Type.Object({
  authority: HexText,
  authorities: Type.Integer({ description: "It and all below it" }),
  certificates: Type.Integer(),
  meters: Type.Integer(),
  loadW: Type.Number({ description: "What those meters measured last, in sum" }),
  metersWithoutLoad: Type.Integer({ description: "Meters that have measured nothing yet, or are another island's" }),
  islands: Type.Array(
    Type.Object({
      utility: Type.String(),
      island: Type.String(),
      certificates: Type.Integer(),
      meters: Type.Integer(),
    }),
  ),
  metersPerHour: Type.Optional(
    Type.Number({
      description:
        "Enrolled over the air, as measured in the last 30 days and within the policy; absent where too few were",
    }),
  ),
  hoursToEnrol: Type.Optional(Type.Number()),
});
export type RevocationEffect = Static<typeof RevocationEffect>;

export const RevocationList = Type.Object({
  plans: Type.Array(
    Type.Object({
      id: Type.String(),
      authority: HexText,
      serial: Type.Optional(
        Type.String({
          pattern: "^[0-9a-f]+$",
          description: "Of the one certificate that is revoked; absent where the whole authority is",
        }),
      ),
      reason: Type.String(),
      plannedBy: Type.String(),
      plannedAt: Timestamp,
      stage: words(["refuse", "remove", "cut"]),
      state: words(["planned", "running", "stopped", "done", "withdrawn"]),
      meters: Type.Integer(),
      finished: Type.Integer({ description: "Certificates revoked, meters freed or islands cut in this stage" }),
    }),
  ),
  cuts: Type.Array(
    Type.Object({ utility: Type.String(), island: Type.String(), plan: Type.String(), cutAt: Timestamp }),
  ),
});
export type RevocationList = Static<typeof RevocationList>;

export const ConnectionList = Type.Object({
  connections: Type.Array(
    Type.Object({
      name: Type.String({ description: "`custodian`, or a data concentrator's name" }),
      protocol: Type.String({ description: "As it was negotiated, TLSv1.3" }),
      cipher: Type.String(),
      group: Type.String({ description: "The key agreement, X25519MLKEM768 where it is hybrid" }),
      since: Type.Optional(Timestamp),
    }),
  ),
});
export type ConnectionList = Static<typeof ConnectionList>;

export const AuthorityParams = Type.Object({ authority: HexText });

export const EffectQuery = Type.Object({
  serial: Type.Optional(
    Type.String({
      pattern: "^[0-9a-f]{1,40}$",
      description: "Of one certificate, in the place of the whole authority",
    }),
  ),
});

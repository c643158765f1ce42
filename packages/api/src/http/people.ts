/** People and machines that may ask: sign-in links, passkeys, sessions and tokens. */
import { type Static, Type } from "typebox";
import { Role } from "./role.ts";
import { Identifier, PlainText, Timestamp, words } from "./scalars.ts";
import { Scope, TokenScope } from "./scope.ts";

export const Me = Type.Object({
  kind: words(["person", "machine"]),
  id: Identifier,
  name: Type.String(),
  roles: Type.Array(Type.String()),
  scopes: Type.Array(Scope, { description: "What this login may do" }),
  signedInAt: Type.Optional(Timestamp),
  expiresAt: Type.Optional(Timestamp),
  passkeys: Type.Integer(),
  steppedUpUntil: Type.Optional(Timestamp),
});
export type Me = Static<typeof Me>;

/** The part after `#` of `http://localhost:8420/sign-in#TOKEN`; it works once. */
export const SignIn = Type.Object(
  { token: Type.String({ minLength: 20, maxLength: 200 }) },
  { additionalProperties: false },
);
export type SignIn = Static<typeof SignIn>;

/** Made for the machine's owner: `http://localhost:8420/sign-in#TOKEN`. */
export const SignInLink = Type.Object({ url: Type.String() });
export type SignInLink = Static<typeof SignInLink>;

export const MachineToken = Type.Object({
  id: Identifier,
  name: Type.String(),
  scope: TokenScope,
  createdAt: Timestamp,
  lastUsedAt: Type.Optional(Timestamp),
  expiresAt: Type.Optional(Timestamp),
});
export type MachineToken = Static<typeof MachineToken>;
export const MachineTokenList = Type.Object({ tokens: Type.Array(MachineToken) });
export type MachineTokenList = Static<typeof MachineTokenList>;

export const CreateMachineToken = Type.Object(
  {
    name: PlainText({ minLength: 1, maxLength: 80 }),
    scope: Type.Optional(TokenScope),
    days: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 3650, description: "Valid for so many days; default 365" }),
    ),
  },
  { additionalProperties: false },
);
export type CreateMachineToken = Static<typeof CreateMachineToken>;

export const CreatedMachineToken = Type.Object({
  token: Type.String({ description: "Shown this once; only its SHA-256 is kept" }),
  record: MachineToken,
});
export type CreatedMachineToken = Static<typeof CreatedMachineToken>;

/** WebAuthn messages, as `@simplewebauthn/browser` makes and takes them; checked by the library, not by the schema. */
export const PasskeyOptions = Type.Object({
  challengeId: Identifier,
  options: Type.Record(Type.String(), Type.Unknown()),
});
export type PasskeyOptions = Static<typeof PasskeyOptions>;
export const PasskeyResponse = Type.Object(
  {
    challengeId: Identifier,
    name: Type.Optional(PlainText({ maxLength: 80 })),
    response: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false },
);
export type PasskeyResponse = Static<typeof PasskeyResponse>;
export const Passkey = Type.Object({
  id: Identifier,
  name: Type.String(),
  createdAt: Timestamp,
  lastUsedAt: Type.Optional(Timestamp),
});
export type Passkey = Static<typeof Passkey>;
export const PasskeyList = Type.Object({ passkeys: Type.Array(Passkey) });
export type PasskeyList = Static<typeof PasskeyList>;

/** How people sign in here; read before anybody has. */
export const SignInWays = Type.Object({
  organisation: Type.Optional(Type.String({ description: "The organisation's provider, as people call it" })),
});
export type SignInWays = Static<typeof SignInWays>;
/** Where the browser goes to sign in; it comes back to the console's own page with an answer. */
export const OrganisationSignIn = Type.Object({ address: Type.String() });
export type OrganisationSignIn = Static<typeof OrganisationSignIn>;
/** The query that the provider sent the browser back with. */
export const OrganisationAnswer = Type.Object(
  { answer: Type.String({ minLength: 1, maxLength: 8192 }) },
  { additionalProperties: false },
);
export type OrganisationAnswer = Static<typeof OrganisationAnswer>;

const roles = Type.Array(Role, { minItems: 1, maxItems: 8, uniqueItems: true });

/** What somebody is at the custodian, who keeps that itself: to approve there takes a key of one's own. */
export const APPROVER_STANDINGS = ["none", "approver", "suspended", "unknown"] as const;
export type ApproverStanding = (typeof APPROVER_STANDINGS)[number];

export const PersonView = Type.Object({
  id: Identifier,
  name: Type.String(),
  roles: Type.Array(Type.String()),
  subject: Type.Optional(Type.String({ description: "Who they are at the organisation's provider" })),
  admittedAt: Timestamp,
  admittedBy: Type.Optional(Type.String()),
  lastSeenAt: Type.Optional(Timestamp),
  leftAt: Type.Optional(Timestamp),
  leftBy: Type.Optional(Type.String()),
  sessions: Type.Integer(),
  passkeys: Type.Integer(),
  tokens: Type.Integer(),
  approver: words(APPROVER_STANDINGS, "What they are at the custodian; unknown: it does not answer"),
  handhelds: Type.Array(Type.String(), { description: "Handhelds that hold keys lent to them" }),
});
export type PersonView = Static<typeof PersonView>;
export const PersonList = Type.Object({ people: Type.Array(PersonView) });
export type PersonList = Static<typeof PersonList>;

export const AdmitPerson = Type.Object(
  {
    name: PlainText({
      minLength: 2,
      maxLength: 80,
      description: "As the ledger and the custodian will call them; it is never given again",
    }),
    roles,
    subject: Type.Optional(
      PlainText({ minLength: 1, maxLength: 255, description: "Their `sub` at the organisation's provider" }),
    ),
  },
  { additionalProperties: false },
);
export type AdmitPerson = Static<typeof AdmitPerson>;
export const AdmittedPerson = Type.Object({ person: PersonView, url: Type.String() });
export type AdmittedPerson = Static<typeof AdmittedPerson>;
export const ChangeRoles = Type.Object({ roles }, { additionalProperties: false });
export type ChangeRoles = Static<typeof ChangeRoles>;

/** What ended when a person left, and what did not: done again, it goes on where it stopped. */
export const PersonLeft = Type.Object({
  name: Type.String(),
  sessions: Type.Integer(),
  links: Type.Integer(),
  passkeys: Type.Integer(),
  tokens: Type.Integer(),
  approver: words(APPROVER_STANDINGS),
  handhelds: Type.Array(Type.String(), { description: "Reported lost: the keys they hold are changed first of all" }),
  undone: Type.Array(Type.String(), { description: "What is still open, and what to do" }),
});
export type PersonLeft = Static<typeof PersonLeft>;

/** What the page may know before and after sign-in. */
export const PublicConfig = Type.Object({
  version: Type.String(),
  utility: Type.String(),
  island: Type.String(),
  url: Type.String(),
  pushListen: Type.Object({
    tcp: Type.Optional(Type.String()),
    udp: Type.Optional(Type.String()),
    lan: Type.Boolean(),
  }),
  passkeys: Type.Boolean(),
  commandOptions: Type.String({
    description: "What a command of `meterkeep` is given to reach this installation: ` --state DIR`, or nothing",
  }),
});
export type PublicConfig = Static<typeof PublicConfig>;
export const Health = Type.Object({ status: words(["ok", "degraded"]) });
export type Health = Static<typeof Health>;

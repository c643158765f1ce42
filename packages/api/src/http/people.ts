/** People and machines that may ask: sign-in links, passkeys, sessions and tokens. */
import { type Static, Type } from "typebox";
import { Identifier, PlainText, Timestamp, words } from "./scalars.ts";
import { TokenScope } from "./scope.ts";

export const Me = Type.Object({
  kind: words(["person", "machine"]),
  id: Identifier,
  name: Type.String(),
  roles: Type.Array(Type.String()),
  scope: TokenScope,
  signedInAt: Type.Optional(Timestamp),
  expiresAt: Type.Optional(Timestamp),
  passkeys: Type.Integer(),
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

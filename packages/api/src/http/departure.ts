/** Meters that leave: retired for good, given to another owner, given back to their maker. */
import { type Static, Type } from "typebox";
import { PlainText, SystemTitleText, Timestamp, words } from "./scalars.ts";

const HOW = ["retired", "transferred", "returned"] as const;
const How = words(
  HOW,
  "retired: for good; transferred: another owner gets its keys, sealed to it; returned: its maker does. One that was retired does not come back",
);

/** Octets as RFC 4648 base64url, without padding. */
const Base64Url = (maxLength: number, description: string) =>
  Type.String({ pattern: "^[A-Za-z0-9_-]+$", maxLength, description });

const spki = (what: string) => Base64Url(3000, `${what}, SubjectPublicKeyInfo in DER`);

export const DepartureOrder = Type.Object(
  {
    meters: Type.Array(SystemTitleText, { minItems: 1, maxItems: 500 }),
    how: How,
    reason: PlainText({ minLength: 1, maxLength: 200, description: "Why, for the ledger and for those who approve" }),
    sender: Type.Optional(
      Type.Object(
        {
          flag: Type.String({ pattern: "^[A-Z]{3}$" }),
          name: PlainText({ minLength: 1, maxLength: 64 }),
        },
        {
          additionalProperties: false,
          description: "Who sends the meters on: a part of their taint from then on. Not for meters that are retired",
        },
      ),
    ),
    recipient: Type.Optional(
      Type.Object(
        {
          name: PlainText({ minLength: 1, maxLength: 64 }),
          ecdhPublicKey: spki("P-384"),
          mlkemPublicKey: spki("ML-KEM-768"),
        },
        {
          additionalProperties: false,
          description: "Who gets them, with the keys of its recipient.json. Not for meters that are retired",
        },
      ),
    ),
  },
  { additionalProperties: false },
);
export type DepartureOrder = Static<typeof DepartureOrder>;

export const DEPARTURE_STATES = ["waiting", "approved", "done", "expired"] as const;

/** A departure as people agree to it: a change at the custodian. */
export const Departure = Type.Object({
  change: Type.String({ description: "SHA-384 of what is signed at the custodian, lower-case hex" }),
  how: How,
  meters: Type.Array(SystemTitleText),
  words: Type.String({ description: "What is signed, in words" }),
  requester: Type.String(),
  reason: Type.String(),
  state: words(
    DEPARTURE_STATES,
    "waiting: for people to sign; approved: ask again and it is done; done: the meters have left; expired: nobody signed in time",
  ),
  approvedBy: Type.Array(Type.String()),
  missing: Type.Optional(Type.String({ description: "What is missing, in words" })),
  page: Type.Optional(Type.String({ description: "Where it is signed: the custodian's own page" })),
  submittedAt: Timestamp,
  executedAt: Type.Optional(Timestamp),
  transfer: Type.Optional(
    Type.Object(
      {
        shipment: Type.String(),
        file: Base64Url(1_300_000, "A shipment of kind transfer, which its recipient alone can open"),
        sender: Type.Object({
          flag: Type.String(),
          name: Type.String(),
          ecdsaPublicKey: spki("P-384"),
          mldsaPublicKey: spki("ML-DSA-65"),
        }),
      },
      { description: "Given once, to who carried it out; a file that was lost is made anew by the same order" },
    ),
  ),
});
export type Departure = Static<typeof Departure>;

export const DepartureList = Type.Object({ departures: Type.Array(Departure, { description: "The newest first" }) });
export type DepartureList = Static<typeof DepartureList>;

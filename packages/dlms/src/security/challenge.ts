import type { MechanismName } from "../acse/names.ts";
import { equalBytes } from "../bytes.ts";
import { decode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import { type Apdu, apdu as anyApdu } from "../xdlms/apdu.ts";
import type { SecurityProfile } from "./profile.ts";
import { protectionFormOf } from "./tags.ts";

const GENERAL_BLOCK_TRANSFER_TAG = 0xe0;
/** What an APDU begins with: nearly all challenges begin otherwise, and an error for each would cost more than all else about them. */
const APDU_TAGS: ReadonlySet<number | undefined> = new Set(
  anyApdu.shape.type === "choice" ? anyApdu.shape.variants.map(({ tag }) => tag) : [],
);
const REQUESTS_WITH_EFFECT: ReadonlySet<Apdu["kind"]> = new Set([
  "set-request",
  "action-request",
  "access-request",
  "write-request",
  "unconfirmed-write-request",
]);

/** What is wrong with a challenge of the other side; undefined when nothing is. */
export function challengeObjection(
  { challengeBytes, refuseApduChallenges }: Pick<SecurityProfile, "challengeBytes" | "refuseApduChallenges">,
  mechanism: MechanismName,
  challenge: Uint8Array,
  own: Uint8Array,
): string | undefined {
  const least = mechanism === "high-ecdsa" ? challengeBytes.leastSigned : challengeBytes.least;
  if (challenge.length < least || challenge.length > challengeBytes.most)
    return `has ${challenge.length} octets where ${least} to ${challengeBytes.most} are allowed`;
  // Who sends our own challenge back wants us to compute its answer.
  if (equalBytes(challenge, own)) return "is our own, sent back";
  // An answer under mechanism 5 is a tag over the challenge: over an APDU it would be that APDU's.
  if (refuseApduChallenges && isPlainApdu(challenge)) return "is an APDU, which the answer would make authentic";
  return undefined;
}

function isPlainApdu(octets: Uint8Array): boolean {
  const tag = octets[0] ?? 0;
  // Those two are never protected as they are, and random octets look like them too often.
  if (!APDU_TAGS.has(tag) || protectionFormOf(tag) !== undefined || tag === GENERAL_BLOCK_TRANSFER_TAG) return false;
  try {
    // Some meters pass over octets after a request: what is one with a tail is one.
    const found = decode(anyApdu, octets, { trailing: "ignore" });
    if (REQUESTS_WITH_EFFECT.has(found.kind) && !asksForMore(found)) return true;
    decode(anyApdu, octets);
    return true;
  } catch (error) {
    if (error instanceof DlmsError) return false;
    throw error;
  }
}

/** A request for the next block of an answer has no effect, and with a tail one random challenge in 65 000 is one. */
function asksForMore({ kind, value }: Apdu): boolean {
  return kind === "action-request" && value.kind === "next-pblock";
}

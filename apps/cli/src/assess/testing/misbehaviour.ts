import type { SecurityPolicy } from "@meterkeep/dlms";

/** What a sample meter does wrong; a meter that is told nothing does all right, save that it never locks. */
export interface Misbehaviour {
  /** Its objects are named by numbers. */
  readonly shortNames?: true;
  /** Counters are not looked at. */
  readonly takesOldCounters?: true;
  /** The counter of a request is remembered before anybody knows whether it is authentic. */
  readonly takesForgedCounters?: true;
  /** What protection requests need. */
  readonly policy?: SecurityPolicy;
  /** Makes the challenges. */
  readonly challenge?: () => Uint8Array;
  /** Sends the client's challenge back as its own. */
  readonly echoesChallenge?: true;
  /** The public client may do everything. */
  readonly publicMayAll?: true;
  /** The management client is let in without authentication as well. */
  readonly letsInWithoutProof?: true;
  /** Requests without an association are served. */
  readonly servesUnassociated?: true;
  /** Requests between AARE and proof are served. */
  readonly servesBeforeProof?: true;
  /** Any answer to its challenge is believed. */
  readonly believesAnyProof?: true;
  /** Answers our challenge also when the proof is wrong. */
  readonly answersStrangers?: true;
  /** Accepts a client that bears its own title. */
  readonly takesOwnTitle?: true;
  /** Answers ciphered requests in clear. */
  readonly answersInClear?: true;
  /** Gives its password to who asks. */
  readonly showsSecret?: true;
  /** Refuses unknown clients in other words, or later. */
  readonly oracle?: "words" | "time";
  /** Says nothing more after octets that are no APDU. */
  readonly stopsAtGarbage?: true;
  /** Says an AARE whatever is said, so that a recorded association opens it again. */
  readonly forgetsChallenges?: true;
  /** Turns everybody away for so many milliseconds after five wrong proofs. */
  readonly locksMilliseconds?: number;
}

export const NO_POLICY: SecurityPolicy = {
  authenticatedRequest: false,
  encryptedRequest: false,
  authenticatedResponse: false,
  encryptedResponse: false,
};
export const FULL_POLICY: SecurityPolicy = {
  authenticatedRequest: true,
  encryptedRequest: true,
  authenticatedResponse: true,
  encryptedResponse: true,
};

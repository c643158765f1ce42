/** What became of the tag of a telegram. A tag that does not hold is a refusal, and no fact about a telegram. */
export type Authentication =
  /** The tag holds: whoever made this telegram has both keys, and nobody has changed it. */
  | "verified"
  /** There is a tag, and no authentication key to check it with. */
  | "not-checked"
  /** There is no tag: whoever can write to the line can change what the telegram says. */
  | "absent";

/** What protected a telegram on its way. */
export interface SecurityFacts {
  readonly encrypted: boolean;
  readonly authentication: Authentication;
  /** The suite that the security control octet claims; meters have been seen to claim another than they use. */
  readonly claimedSuite: number | null;
  /** The security control octet in hex. */
  readonly securityControl: string | null;
  /** The cipher that opened it. */
  readonly cipher: "AES-128-GCM" | "AES-256-GCM" | null;
  readonly keySet: "unicast" | "broadcast" | null;
  /** Counter of the telegram: no two telegrams of a meter under one key share it. */
  readonly invocationCounter: number | null;
}

/** Of a telegram that nothing protects. */
export const UNPROTECTED: SecurityFacts = {
  encrypted: false,
  authentication: "absent",
  claimedSuite: null,
  securityControl: null,
  cipher: null,
  keySet: null,
  invocationCounter: null,
};

/** The facts in one sentence. */
export function securityInWords(facts: SecurityFacts): string {
  const { encrypted, authentication } = facts;
  if (authentication === "verified")
    return encrypted ? "Encrypted and authenticated: the tag holds." : "Authenticated: the tag holds. Not encrypted.";
  const tag =
    authentication === "not-checked"
      ? "it has a tag that was not checked, for want of the authentication key"
      : "it has no tag, so whoever can write to the line can change it";
  return encrypted ? `Confidential only, not authenticated: ${tag}.` : `Not encrypted and not authenticated: ${tag}.`;
}

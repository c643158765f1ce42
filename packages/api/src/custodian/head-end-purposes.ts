/** What a head-end may be allowed: to read; to seal, with command tokens, what does more; to verify pushes. */
export const HEAD_END_PURPOSES = ["read", "configure", "verify"] as const;
export type HeadEndPurpose = (typeof HEAD_END_PURPOSES)[number];

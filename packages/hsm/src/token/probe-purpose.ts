/** What trials say they are for that decide whether encryption keys can stay in a token. */
export const ENCRYPTION_KEYS_PURPOSE = "encryption keys that stay in the token";

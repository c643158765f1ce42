import { createHash, randomBytes } from "node:crypto";

/** A secret that we hand out once: 256 random bits as text; only its SHA-256 is kept. */
export interface SecretToken {
  readonly text: string;
  readonly hash: Buffer;
}

/** Makes a token. `prefix` tells a reader of a log or a configuration what leaked, for example `mkt_`. */
export function newSecretToken(prefix: string): SecretToken {
  const text = prefix + randomBytes(32).toString("base64url");
  return { text, hash: tokenHash(text) };
}

/** SHA-256 of a token. A 256-bit random secret needs no salt and no slow hash; looking it up by hash compares nothing in variable time that helps a guesser. */
export function tokenHash(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}

import type { AuthorityKey, PublicKey } from "@meterkeep/pki";
import { signatureOf } from "@meterkeep/pki";
import type { SigningTokens } from "../vault/tokens/token-set.ts";

/** Who signs with a key pair that never leaves its token. */
export function tokenKey(tokens: SigningTokens, label: string, publicKey: PublicKey): AuthorityKey {
  return {
    publicKey,
    sign: async (octets) => signatureOf(await tokens.signAlone(label, publicKey, octets)),
  };
}

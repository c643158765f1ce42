import { createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";
import { fromHex, type SystemTitle } from "@meterkeep/dlms";
import { signedPartOf, writeToken } from "@meterkeep/guard";

/** How the policy service is called in tokens, where the custodian enrols it. */
export const POLICY_SERVICE_NAME = "policy";

/** Clocks of two processes on one machine differ by less. */
const BACKDATED_MILLISECONDS = 5_000;
/** A token is used at once: what is older was stolen. */
const TOKEN_MILLISECONDS = 120_000;

/** The policy service's key: it signs tokens, one act on one meter each. Alone it switches nothing. */
export interface PolicyKey {
  /** SPKI, lower-case hex. */
  readonly publicKey: string;
  token(manifest: string, meter: SystemTitle, act: number, now: number): Promise<Uint8Array>;
}

/** Opens an EC private key on P-256 or P-384, PEM. */
export function openPolicyKey(pem: string): PolicyKey {
  const key = createPrivateKey(pem);
  const hash = key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "sha384" : "sha256";
  return {
    publicKey: createPublicKey(key).export({ format: "der", type: "spki" }).toString("hex"),
    token: async (manifest, meter, act, now) => {
      const token = {
        issuer: POLICY_SERVICE_NAME,
        manifest: fromHex(manifest),
        meter,
        act,
        notBefore: now - BACKDATED_MILLISECONDS,
        notAfter: now + TOKEN_MILLISECONDS,
        nonce: new Uint8Array(randomBytes(16)),
      };
      const signature = sign(hash, signedPartOf(token), { key, dsaEncoding: "ieee-p1363" });
      return writeToken(token, new Uint8Array(signature));
    },
  };
}

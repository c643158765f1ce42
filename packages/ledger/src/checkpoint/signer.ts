import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { keyId, type LedgerKeys } from "./keys.ts";
import { type Checkpoint, checkpointText, noteOf, signatureLine } from "./note.ts";

/** What signs checkpoints. Where its keys are is its own affair: in memory, or one of them in a token. */
export interface LedgerSigner {
  readonly keys: LedgerKeys;
  /** ECDSA P-384 with SHA-384 (r and s, 96 octets) by one of `keys.ecdsa`, and ML-DSA-65. */
  sign(text: Uint8Array): Promise<{
    /** The key of `keys.ecdsa` that signed. */
    readonly by: Uint8Array;
    readonly ecdsa: Uint8Array;
    readonly mldsa: Uint8Array;
  }>;
}

/** Both private keys of a signer, PKCS #8 DER. */
export interface SignerSecret {
  readonly ecdsa: Uint8Array;
  readonly mldsa: Uint8Array;
}

const PKCS8 = { type: "pkcs8", format: "der" } as const;

/** Makes a fresh pair of keys. */
export function generateSignerSecret(): SignerSecret {
  return {
    ecdsa: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export(PKCS8),
    mldsa: generateKeyPairSync("ml-dsa-65").privateKey.export(PKCS8),
  };
}

/** A signer whose keys are in this process. */
export function softwareSigner(version: number, secret: SignerSecret): LedgerSigner {
  const [ecdsa, mldsa] = [privateKeyOf(secret.ecdsa), privateKeyOf(secret.mldsa)];
  const by = spkiOf(ecdsa);
  return {
    keys: { version, ecdsa: [by], mldsa: spkiOf(mldsa) },
    sign: async (text) => ({
      by,
      ecdsa: new Uint8Array(sign("sha384", text, { key: ecdsa, dsaEncoding: "ieee-p1363" })),
      mldsa: new Uint8Array(sign(null, text, mldsa)),
    }),
  };
}

/** Signs a checkpoint's text under a name: the lines of both signatures. */
export async function signedLines(signer: LedgerSigner, name: string, text: string): Promise<string[]> {
  const { by, ecdsa, mldsa } = await signer.sign(Buffer.from(text, "utf8"));
  return [
    signatureLine({ name, keyId: keyId(name, by), signature: ecdsa }),
    signatureLine({ name, keyId: keyId(name, signer.keys.mldsa), signature: mldsa }),
  ];
}

/** A checkpoint as a signed note. */
export async function signedCheckpoint(signer: LedgerSigner, checkpoint: Checkpoint): Promise<string> {
  const text = checkpointText(checkpoint);
  return noteOf(text, await signedLines(signer, checkpoint.log, text));
}

/** The public half of a private key, SPKI DER. */
export function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));
}

/** A private key of PKCS #8 DER; the copy made on the way is wiped. */
export function privateKeyOf(der: Uint8Array): KeyObject {
  const key = Buffer.from(der);
  try {
    return createPrivateKey({ key, ...PKCS8 });
  } finally {
    key.fill(0);
  }
}

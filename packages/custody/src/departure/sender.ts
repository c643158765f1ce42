import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import type { InstallationRecords } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";

/** Who signs shipments of ours: what a manufacturer's keys are to its own. */
export interface Sender {
  /** SPKI DER. */
  readonly ecdsaPublicKey: Uint8Array;
  /** SPKI DER. */
  readonly mldsaPublicKey: Uint8Array;
  /** Lower-case hex of SHA-256 over both. */
  readonly keyId: string;
  sign(text: string): { readonly ecdsa: Uint8Array; readonly mldsa: Uint8Array };
}

const NAME = "shipment-sender-1";

/** The custodian's keys for shipments to other owners: made and sealed into the vault at first use. */
export async function openSender(
  vault: Pick<Vault, "sealNamed" | "unsealNamed">,
  installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">,
): Promise<Sender> {
  const stored = await installation.namedSecret(NAME);
  const sealed = stored ?? (await installation.insertNamedSecret(NAME, await sealFresh(vault)));
  using secret = await vault.unsealNamed(NAME, sealed);
  return secret.lend((octets) => {
    const split = 2 + Buffer.from(octets.buffer, octets.byteOffset, 2).readUInt16BE(0);
    return senderOf(privateKey(octets.subarray(2, split)), privateKey(octets.subarray(split)));
  });
}

/** The same, opened when it is wanted first. */
export function senderWhenWanted(...where: Parameters<typeof openSender>): () => Promise<Sender> {
  let opening: Promise<Sender> | undefined;
  return () => {
    opening ??= openSender(...where);
    return opening;
  };
}

function senderOf(ecdsa: KeyObject, mldsa: KeyObject): Sender {
  const [ecdsaPublicKey, mldsaPublicKey] = [publicDer(ecdsa), publicDer(mldsa)];
  return {
    ecdsaPublicKey,
    mldsaPublicKey,
    keyId: createHash("sha256").update(ecdsaPublicKey).update(mldsaPublicKey).digest("hex"),
    sign: (text) => ({
      ecdsa: sign("sha384", Buffer.from(text, "ascii"), { key: ecdsa, dsaEncoding: "ieee-p1363" }),
      mldsa: sign(null, Buffer.from(text, "ascii"), mldsa),
    }),
  };
}

async function sealFresh(vault: Pick<Vault, "sealNamed">): Promise<Uint8Array> {
  const ecdsa = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ type: "pkcs8", format: "der" });
  const mldsa = generateKeyPairSync("ml-dsa-65").privateKey.export({ type: "pkcs8", format: "der" });
  const joined = Buffer.alloc(2 + ecdsa.length + mldsa.length);
  joined.writeUInt16BE(ecdsa.length, 0);
  ecdsa.copy(joined, 2);
  mldsa.copy(joined, 2 + ecdsa.length);
  for (const half of [ecdsa, mldsa]) half.fill(0);
  using secret = SecretKey.take(joined);
  return await vault.sealNamed(NAME, secret);
}

function privateKey(der: Uint8Array): KeyObject {
  const copy = Buffer.from(der);
  const key = createPrivateKey({ key: copy, format: "der", type: "pkcs8" });
  copy.fill(0);
  return key;
}

function publicDer(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));
}

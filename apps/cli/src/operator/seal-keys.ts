import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import type { RecipientKeys, SealedMeterKeys } from "@meterkeep/api";
import type { MeterKeys } from "@meterkeep/dlms";

/** Purposes in a key block (docs/formats/shipment.md). */
const PURPOSES = { encryptionKey: 0, broadcastKey: 1, authenticationKey: 2 } as const;
const CHILD_DEFAULT = 11;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;

/**
 * Seals the keys of one meter to the custodian (docs/formats/shipment.md, "Sealed keys of a single meter"): only the
 * custodian can open them, and only for this meter.
 */
export function sealMeterKeys(keys: MeterKeys, systemTitle: string, recipient: RecipientKeys): SealedMeterKeys {
  return sealBlock(keyBlock(keys), systemTitle, recipient);
}

/** Seals the default key of the device at an M-Bus channel of a meter in the same way. */
export function sealChildKey(
  key: Uint8Array,
  channel: number,
  systemTitle: string,
  recipient: RecipientKeys,
): SealedMeterKeys {
  const block = Buffer.concat([Uint8Array.of(CHILD_DEFAULT, key.length + 1, channel), key]);
  return sealBlock(block, systemTitle, recipient);
}

/** Seals a key block, which is zeroed. */
function sealBlock(
  block: Buffer,
  systemTitle: string,
  recipient: Pick<RecipientKeys, "ecdhPublicKey" | "keyId">,
): SealedMeterKeys {
  const theirs = createPublicKey({
    key: Buffer.from(recipient.ecdhPublicKey, "base64url"),
    format: "der",
    type: "spki",
  });
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const epk = ephemeral.publicKey.export({ format: "der", type: "spki" });
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: theirs });
  const info = Buffer.concat([Buffer.from("meterkeep-meter-1"), createHash("sha256").update(epk).digest()]);
  const contentKey = Buffer.from(hkdfSync("sha384", secret, Buffer.alloc(0), info, KEY_BYTES));
  const nonce = randomBytes(NONCE_BYTES);
  try {
    const cipher = createCipheriv("aes-256-gcm", contentKey, nonce);
    cipher.setAAD(Buffer.from(`meterkeep-meter-1:${systemTitle}`, "ascii"));
    const sealed = Buffer.concat([cipher.update(block), cipher.final(), cipher.getAuthTag()]);
    return {
      alg: "ECDH-P384/HKDF-SHA384/A256GCM",
      recipient: recipient.keyId,
      epk: epk.toString("base64url"),
      nonce: nonce.toString("base64url"),
      sealed: sealed.toString("base64url"),
    };
  } finally {
    for (const octets of [secret, contentKey, block]) octets.fill(0);
  }
}

/** `purpose(1) length(1) octets` for each key that is known, in the order of their purposes. */
function keyBlock(keys: MeterKeys): Buffer {
  const parts = Object.entries(PURPOSES).flatMap(([name, purpose]) => {
    const key = keys[name as keyof typeof PURPOSES];
    return key === undefined ? [] : [Uint8Array.of(purpose, key.length), key];
  });
  return Buffer.concat(parts);
}

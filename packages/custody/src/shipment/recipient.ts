import {
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";

/** The public half of the recipient: what shipments and single keys are sealed to. */
export interface RecipientPublicKeys {
  /** Lower-case hex of SHA-256 over the two SPKIs. */
  readonly keyId: string;
  /** EC P-384, SPKI DER. */
  readonly ecdh: Uint8Array;
  /** ML-KEM-768, SPKI DER. */
  readonly mlkem: Uint8Array;
}

/** Opens what was sealed to the custodian. Gives `undefined` where it does not open, without saying why. */
export interface Recipient {
  readonly publicKeys: RecipientPublicKeys;
  /** The content key of a shipment, as it was sealed to this recipient. */
  shipmentContentKey(shipment: Uint8Array, sealed: SealedContentKey): SecretKey | undefined;
  /** The content key of the sealed keys of a single meter. */
  meterContentKey(epk: Uint8Array): SecretKey | undefined;
}

/** A shipment's content key, sealed to one of its recipients. */
export interface SealedContentKey {
  /** SPKI of the ephemeral P-384 key. */
  readonly epk: Uint8Array;
  /** Ciphertext of ML-KEM-768. */
  readonly kem: Uint8Array;
  /** The content key under the key that both give: ciphertext, then the tag. */
  readonly key: Uint8Array;
}

const CONTENT_KEY_BYTES = 32;

/** A fresh pair of key pairs: its private halves in PKCS #8, one after the other, ECDH first, each with its length. */
export function generateRecipientSecret(): SecretKey {
  const ecdh = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ type: "pkcs8", format: "der" });
  const mlkem = generateKeyPairSync("ml-kem-768").privateKey.export({ type: "pkcs8", format: "der" });
  const joined = Buffer.alloc(2 + ecdh.length + mlkem.length);
  joined.writeUInt16BE(ecdh.length, 0);
  ecdh.copy(joined, 2);
  mlkem.copy(joined, 2 + ecdh.length);
  ecdh.fill(0);
  mlkem.fill(0);
  return SecretKey.take(joined);
}

/** The recipient whose private halves `generateRecipientSecret` made. */
export function recipientOf(secret: SecretKey): Recipient {
  const [ecdh, mlkem] = secret.lend((bytes) => {
    const split = 2 + Buffer.from(bytes.buffer, bytes.byteOffset, 2).readUInt16BE(0);
    return [privateKeyOf(bytes.subarray(2, split)), privateKeyOf(bytes.subarray(split))] as const;
  });
  const publicKeys = publicKeysOf(spki(createPublicKey(ecdh)), spki(createPublicKey(mlkem)));
  return {
    publicKeys,
    shipmentContentKey: (shipment, { epk, kem, key }) =>
      opened(() => {
        using z = agree(ecdh, epk);
        using shared = SecretKey.take(decapsulate(mlkem, kem));
        using sealing = z.lend((one) =>
          shared.lend((other) => contentKey(Buffer.concat([one, other]), shipment, sealingInfo(epk, kem))),
        );
        const content = unsealBlock(sealing, SEALING_NONCE, sealingData(shipment, publicKeys.keyId), key);
        if (content?.lend((octets) => octets.length) !== CONTENT_KEY_BYTES) throw new Error("no content key");
        return content;
      }),
    meterContentKey: (epk) =>
      opened(() => {
        using z = agree(ecdh, epk);
        const info = Buffer.concat([Buffer.from("meterkeep-meter-1"), sha256(epk)]);
        return z.lend((bytes) => contentKey(Buffer.from(bytes), new Uint8Array(0), info));
      }),
  };
}

/** Names two public keys by what shipments call them. */
export function publicKeysOf(ecdh: Uint8Array, mlkem: Uint8Array): RecipientPublicKeys {
  return { keyId: createHash("sha256").update(ecdh).update(mlkem).digest("hex"), ecdh, mlkem };
}

/** The key that seals a content key is used once: its nonce is zero. */
export const SEALING_NONCE = new Uint8Array(12);

/** What binds the sealing of a content key to both public values that it came from. */
export function sealingInfo(epk: Uint8Array, kem: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("meterkeep-shipment-2", "ascii"), sha256(epk), sha256(kem)]);
}

/** What a sealed content key is bound to: the shipment and the recipient. */
export function sealingData(shipment: Uint8Array, keyId: string): Buffer {
  return Buffer.concat([Buffer.from("meterkeep-shipment-2", "ascii"), shipment, Buffer.from(keyId, "hex")]);
}

/** AES-256-GCM as the format has it: ciphertext, then the tag. `undefined` where it is not authentic. */
export function unsealBlock(
  key: SecretKey,
  nonce: Uint8Array,
  data: Uint8Array,
  sealed: Uint8Array,
): SecretKey | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  return key.lend((bytes) => {
    const decipher = createDecipheriv("aes-256-gcm", bytes, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(data);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      plain.fill(0);
      return undefined;
    }
    return SecretKey.take(plain);
  });
}

const TAG_BYTES = 16;

function contentKey(ikm: Buffer, salt: Uint8Array, info: Uint8Array): SecretKey {
  const key = SecretKey.take(new Uint8Array(hkdfSync("sha384", ikm, salt, info, CONTENT_KEY_BYTES)));
  ikm.fill(0);
  return key;
}

/** The x-coordinate that both ends share; 48 octets. */
function agree(privateKey: KeyObject, epk: Uint8Array): SecretKey {
  const publicKey = createPublicKey({ key: Buffer.from(epk), format: "der", type: "spki" });
  if (publicKey.asymmetricKeyType !== "ec" || publicKey.asymmetricKeyDetails?.namedCurve !== "secp384r1")
    throw new Error("the ephemeral key is not on P-384");
  return SecretKey.take(diffieHellman({ privateKey, publicKey }));
}

function opened(open: () => SecretKey): SecretKey | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}

function privateKeyOf(der: Uint8Array): KeyObject {
  const copy = Buffer.from(der);
  const key = createPrivateKey({ key: copy, format: "der", type: "pkcs8" });
  copy.fill(0);
  return key;
}

function spki(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

function sha256(octets: Uint8Array): Buffer {
  return createHash("sha256").update(octets).digest();
}

import {
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { type AgreementKey, jwkOf, pointOf } from "../vault/agreement.ts";

/** The public half of the recipient: what shipments and single keys are sealed to. */
export interface RecipientPublicKeys {
  /** Lower-case hex of SHA-256 over the two SPKIs. */
  readonly keyId: string;
  /** EC P-384, SPKI DER. */
  readonly ecdh: Uint8Array;
  /** ML-KEM-768, SPKI DER. */
  readonly mlkem: Uint8Array;
}

/**
 * Opens what was sealed to the custodian. Gives `undefined` where it does not open, without saying why.
 *
 * @throws CustodyError `vault-unavailable` where no token of the vault answers: nothing is said of what was to be opened
 */
export interface Recipient {
  readonly publicKeys: RecipientPublicKeys;
  /** The content key of a shipment, as it was sealed to this recipient. */
  shipmentContentKey(shipment: Uint8Array, sealed: SealedContentKey): Promise<SecretKey | undefined>;
  /** The content key of the sealed keys of a single meter. */
  meterContentKey(epk: Uint8Array): Promise<SecretKey | undefined>;
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

/** A fresh private half for ML-KEM-768 in PKCS #8. */
export function freshKemSecret(): SecretKey {
  return SecretKey.take(generateKeyPairSync("ml-kem-768").privateKey.export({ type: "pkcs8", format: "der" }));
}

/**
 * The recipient with these private halves.
 *
 * @param kem what `freshKemSecret` made
 */
export function recipientOf(ecdh: AgreementKey, kem: SecretKey): Recipient {
  const mlkem = kem.lend(privateKeyOf);
  const ecdhPublicKey = createPublicKey({ key: jwkOf(ecdh.point), format: "jwk" });
  const publicKeys = publicKeysOf(spki(ecdhPublicKey), spki(createPublicKey(mlkem)));
  return {
    publicKeys,
    shipmentContentKey: async (shipment, { epk, kem, key }) => {
      const z = await agreed(ecdh, epk);
      return opened(z, (ours) => {
        using shared = SecretKey.take(decapsulate(mlkem, kem));
        using sealing = shared.lend((theirs) =>
          contentKey(Buffer.concat([ours, theirs]), shipment, sealingInfo(epk, kem)),
        );
        const content = unsealBlock(sealing, SEALING_NONCE, sealingData(shipment, publicKeys.keyId), key);
        if (content?.lend((octets) => octets.length) !== CONTENT_KEY_BYTES) throw new Error("no content key");
        return content;
      });
    },
    meterContentKey: async (epk) => {
      const z = await agreed(ecdh, epk);
      const info = Buffer.concat([Buffer.from("meterkeep-meter-1"), sha256(epk)]);
      return opened(z, (ours) => contentKey(Buffer.from(ours), new Uint8Array(0), info));
    },
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

/** The x-coordinate that both ends share; undefined for what is no public key on P-384, which nothing is done with. */
async function agreed(own: AgreementKey, epk: Uint8Array): Promise<SecretKey | undefined> {
  const peer = peerOf(epk);
  return peer === undefined ? undefined : own.agree(peer);
}

/**
 * A peer's key with its point read again by its coordinates, which makes sure that it is on the curve and is not the point at
 * infinity: what else it comes to would tell of the private key.
 */
function peerOf(epk: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(epk), format: "der", type: "spki" });
    return createPublicKey({ key: jwkOf(pointOf(key)), format: "jwk" });
  } catch {
    return undefined;
  }
}

function opened(z: SecretKey | undefined, open: (z: Uint8Array) => SecretKey): SecretKey | undefined {
  using ours = z;
  try {
    return ours?.lend(open);
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

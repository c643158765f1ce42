import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import { publicKeysOf, type RecipientPublicKeys } from "../shipment/recipient.ts";

/** Who can open backups: a name for the ledger, and the public halves of a hybrid key. */
export interface RecoveryRecipient extends RecipientPublicKeys {
  readonly name: string;
}

/** The content key of a backup, wrapped for one recipient: P-384 ECDH and ML-KEM-768 must both be broken to open it. */
export interface WrappedContentKey {
  readonly name: string;
  readonly keyId: string;
  /** Base64: ephemeral public key (SPKI), KEM ciphertext, wrapped key with its tag. */
  readonly epk: string;
  readonly kem: string;
  readonly wrapped: string;
}

/** A recovery key as its owner keeps it, offline: JSON of two private keys in PKCS #8. */
export interface RecoveryPrivateKey {
  readonly name: string;
  readonly keyId: string;
  readonly ecdh: KeyObject;
  readonly mlkem: KeyObject;
}

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const FORMAT = "meterkeep-recovery-key-1";
// One key wraps one content key: the nonce has nothing to vary with.
const NONCE = new Uint8Array(12);

/** Makes a recovery key: the text of the private file, and of the public one that the custodian gets. */
export function generateRecoveryKey(name: string): { readonly privateText: string; readonly publicText: string } {
  const ecdh = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const mlkem = generateKeyPairSync("ml-kem-768");
  const spki = [ecdh.publicKey, mlkem.publicKey].map((key) => key.export({ type: "spki", format: "der" }));
  const { keyId } = publicKeysOf(spki[0] as Buffer, spki[1] as Buffer);
  const pkcs8 = (key: KeyObject) => key.export({ type: "pkcs8", format: "der" }).toString("base64");
  const shared = { format: FORMAT, name, keyId };
  return {
    privateText: `${JSON.stringify({ ...shared, ecdh: pkcs8(ecdh.privateKey), mlkem: pkcs8(mlkem.privateKey) })}\n`,
    publicText: `${JSON.stringify({
      ...shared,
      ecdh: spki[0]?.toString("base64"),
      mlkem: spki[1]?.toString("base64"),
    })}\n`,
  };
}

/** Reads the public half. @throws CustodyError `recovery-key-malformed` */
export function recoveryRecipient(text: string): RecoveryRecipient {
  return parsed(text, ({ name, keyId, ecdh, mlkem }) => {
    for (const der of [ecdh, mlkem]) createPublicKey({ key: der, format: "der", type: "spki" });
    const keys = publicKeysOf(new Uint8Array(ecdh), new Uint8Array(mlkem));
    if (keys.keyId !== keyId) throw new Error("its key id is another key's");
    return { name, ...keys };
  });
}

/** Reads the private half. @throws CustodyError `recovery-key-malformed` */
export function recoveryPrivateKey(text: string): RecoveryPrivateKey {
  return parsed(text, ({ name, keyId, ecdh, mlkem }) => ({
    name,
    keyId,
    ecdh: createPrivateKey({ key: ecdh, format: "der", type: "pkcs8" }),
    mlkem: createPrivateKey({ key: mlkem, format: "der", type: "pkcs8" }),
  }));
}

/** Wraps a content key for a recipient. */
export function wrapContentKey(contentKey: SecretKey, recipient: RecoveryRecipient): WrappedContentKey {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const theirs = createPublicKey({ key: Buffer.from(recipient.ecdh), format: "der", type: "spki" });
  const { sharedKey, ciphertext } = encapsulate(
    createPublicKey({ key: Buffer.from(recipient.mlkem), format: "der", type: "spki" }),
  );
  const z = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: theirs });
  using wrapping = wrappingKey(z, sharedKey, epk, ciphertext);
  const wrapped = wrapping.lend((key) =>
    contentKey.lend((octets) => {
      const cipher = createCipheriv("aes-256-gcm", key, NONCE);
      cipher.setAAD(Buffer.from(recipient.keyId, "hex"));
      return Buffer.concat([cipher.update(octets), cipher.final(), cipher.getAuthTag()]);
    }),
  );
  const { name, keyId } = recipient;
  return { name, keyId, epk: base64(epk), kem: base64(ciphertext), wrapped: base64(wrapped) };
}

/** Opens the content key that was wrapped for this recipient. @throws CustodyError `backup-not-authentic` */
export function unwrapContentKey(
  { keyId, epk, kem, wrapped }: WrappedContentKey,
  { ecdh, mlkem }: RecoveryPrivateKey,
): SecretKey {
  try {
    const ephemeral = Buffer.from(epk, "base64");
    const ciphertext = Buffer.from(kem, "base64");
    const sealed = Buffer.from(wrapped, "base64");
    const publicKey = createPublicKey({ key: ephemeral, format: "der", type: "spki" });
    const z = diffieHellman({ privateKey: ecdh, publicKey });
    using wrapping = wrappingKey(z, decapsulate(mlkem, ciphertext), ephemeral, ciphertext);
    return wrapping.lend((key) => {
      const decipher = createDecipheriv("aes-256-gcm", key, NONCE, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(keyId, "hex"));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
      decipher.final();
      return SecretKey.take(plain);
    });
  } catch (cause) {
    throw new CustodyError("backup-not-authentic", "the backup's key does not open with this recovery key", { cause });
  }
}

/** A fresh content key. */
export function newContentKey(): SecretKey {
  return SecretKey.take(randomBytes(KEY_BYTES));
}

function wrappingKey(z: Buffer, shared: Buffer, epk: Uint8Array, kem: Uint8Array): SecretKey {
  const ikm = Buffer.concat([z, shared]);
  const info = Buffer.concat([Buffer.from("meterkeep-backup-1"), sha256(epk), sha256(kem)]);
  const key = SecretKey.take(new Uint8Array(hkdfSync("sha384", ikm, new Uint8Array(0), info, KEY_BYTES)));
  for (const secret of [ikm, z, shared]) secret.fill(0);
  return key;
}

interface KeyText {
  readonly name: string;
  readonly keyId: string;
  readonly ecdh: Buffer;
  readonly mlkem: Buffer;
}

function parsed<T>(text: string, read: (value: KeyText) => T): T {
  try {
    const { format, name, keyId, ecdh, mlkem } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const texts = [name, keyId, ecdh, mlkem];
    if (format !== FORMAT || texts.some((one) => typeof one !== "string" || one === ""))
      throw new Error(`it is no ${FORMAT}`);
    return read({
      name: name as string,
      keyId: keyId as string,
      ecdh: Buffer.from(ecdh as string, "base64"),
      mlkem: Buffer.from(mlkem as string, "base64"),
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CustodyError("recovery-key-malformed", `this is no recovery key: ${why}`, { cause });
  }
}

function sha256(octets: Uint8Array): Buffer {
  return createHash("sha256").update(octets).digest();
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

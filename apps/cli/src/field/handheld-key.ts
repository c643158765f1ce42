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
  sign,
  verify,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { CliError } from "../error.ts";
import { writeGiven, writeNew } from "../named-file.ts";

const FORMAT = "meterkeep-recovery-key-1";
const JOURNAL_DOMAIN = "meterkeep-field-journal-1\n";
const KEY_BYTES = 32;
const TAG_BYTES = 16;

/** The private keys of a handheld: what opens its leases and signs its journals. */
export interface HandheldKey {
  readonly name: string;
  readonly keyId: string;
  readonly ecdh: KeyObject;
  readonly mlkem: KeyObject;
  readonly signing: KeyObject;
}

/** A content key wrapped for a handheld (docs/formats/lease.md). */
export interface WrappedKey {
  readonly keyId: string;
  readonly epk: string;
  readonly kem: string;
  readonly wrapped: string;
}

/**
 * Makes a handheld's keys: the private ones into a file, the public ones beside it. None of both may be there yet.
 *
 * @throws CliError `input-unreadable`, and there is neither then
 */
export async function makeHandheldKey(name: string, file: string): Promise<string> {
  const ecdh = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const mlkem = generateKeyPairSync("ml-kem-768");
  const signing = generateKeyPairSync("ed25519");
  const [one, two, three] = [ecdh, mlkem, signing].map(({ publicKey }) =>
    publicKey.export({ type: "spki", format: "der" }),
  ) as [Buffer, Buffer, Buffer];
  const keyId = createHash("sha256").update(one).update(two).digest("hex");
  const pkcs8 = (key: KeyObject): string => key.export({ type: "pkcs8", format: "der" }).toString("base64");
  const shared = { format: FORMAT, name, keyId };
  const own = { ecdh: pkcs8(ecdh.privateKey), mlkem: pkcs8(mlkem.privateKey), signing: pkcs8(signing.privateKey) };
  const spki = { ecdh: one.toString("base64"), mlkem: two.toString("base64"), signing: three.toString("base64") };
  const publicFile = `${file}.pub`;
  const text = (keys: object): string => `${JSON.stringify({ ...shared, ...keys })}\n`;
  await writeGiven(
    file,
    () => writeNew(publicFile, text(spki)),
    () => text(own),
  );
  return publicFile;
}

/** Reads a handheld's private keys. @throws CliError `key-file-invalid` */
export function readHandheldKey(file: string): HandheldKey {
  try {
    const said = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, string>>;
    const key = (name: string): KeyObject =>
      createPrivateKey({ key: Buffer.from(said[name] ?? "", "base64"), format: "der", type: "pkcs8" });
    const [ecdh, mlkem, signing] = [key("ecdh"), key("mlkem"), key("signing")];
    return { name: said["name"] ?? "", keyId: said["keyId"] ?? "", ecdh, mlkem, signing };
  } catch (cause) {
    throw new CliError("key-file-invalid", `${file} holds no keys of a handheld`, { cause });
  }
}

/** Opens what is sealed to a handheld. @throws CliError `key-file-invalid` where it is sealed to another, or was changed */
export function openSealed(
  { ecdh, mlkem, keyId }: HandheldKey,
  { epk, kem, wrapped, keyId: recipient }: WrappedKey,
  data: string,
  sealed: string,
): string {
  try {
    const [ephemeral, ciphertext] = [Buffer.from(epk, "base64"), Buffer.from(kem, "base64")];
    const publicKey = createPublicKey({ key: ephemeral, format: "der", type: "spki" });
    const ikm = Buffer.concat([diffieHellman({ privateKey: ecdh, publicKey }), decapsulate(mlkem, ciphertext)]);
    const info = Buffer.concat([Buffer.from("meterkeep-backup-1"), sha256(ephemeral), sha256(ciphertext)]);
    const wrapping = new Uint8Array(hkdfSync("sha384", ikm, new Uint8Array(0), info, KEY_BYTES));
    const content = opened(wrapping, Buffer.from(recipient, "hex"), Buffer.from(wrapped, "base64"));
    return opened(content, Buffer.from(data, "utf8"), Buffer.from(sealed, "base64")).toString("utf8");
  } catch (cause) {
    const why = recipient === keyId ? "it was changed" : "it is sealed to another handheld";
    throw new CliError("key-file-invalid", `the lease does not open: ${why}`, { cause });
  }
}

/** A text with the handheld's signature, as JSON. */
export function signedJournal({ signing }: Pick<HandheldKey, "signing">, text: string): string {
  return JSON.stringify({
    text,
    signature: sign(null, Buffer.from(JOURNAL_DOMAIN + text), signing).toString("base64"),
  });
}

/** The text of a journal that this handheld has signed. @throws CliError `key-file-invalid` */
export function journalText({ signing }: Pick<HandheldKey, "signing">, journal: string): string {
  try {
    const { text, signature } = JSON.parse(journal) as { readonly text: string; readonly signature: string };
    const isOurs = verify(
      null,
      Buffer.from(JOURNAL_DOMAIN + text),
      createPublicKey(signing),
      Buffer.from(signature, "base64"),
    );
    if (isOurs) return text;
  } catch (cause) {
    throw strangeJournal(cause);
  }
  throw strangeJournal();
}

function strangeJournal(cause?: unknown): CliError {
  return new CliError(
    "key-file-invalid",
    "the journal beside the lease is not what this handheld has signed: it says which counters are used, and none may be used again. Have the handheld reported as lost, make it new keys, and have its meters lent anew",
    { cause },
  );
}

/** Each key seals one thing: the nonce has nothing to vary with. */
function opened(key: Uint8Array, data: Uint8Array, sealed: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, new Uint8Array(12), { authTagLength: TAG_BYTES });
  decipher.setAAD(data);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final()]);
}

function sha256(octets: Uint8Array): Buffer {
  return createHash("sha256").update(octets).digest();
}

import { FieldError } from "./field-error.ts";
import { fromBase64, fromHexText, joined, type Octets, toBase64, toHexText, utf8 } from "./octets.ts";
import { type FieldPasskey, makePasskey, wrappingKey } from "./passkey.ts";

/** What lies on the device between visits: private keys wrapped under the passkey's secret, and the public ones. */
export interface StoredHandheld {
  readonly name: string;
  readonly keyId: string;
  /** The id of the custodian whose leases it takes. Its keys open under this one alone. */
  readonly custodian: string;
  readonly passkey: FieldPasskey;
  readonly wrapped: Readonly<Record<KeyRole, { readonly iv: Octets; readonly octets: ArrayBuffer }>>;
  /** As the custodian takes it (docs/formats/lease.md). */
  readonly publicText: string;
}

/** A handheld whose owner was asked: its keys can be used, and not be taken out. */
export interface OpenHandheld {
  readonly name: string;
  readonly keyId: string;
  readonly keys: Readonly<Record<KeyRole, CryptoKey>>;
  /** Verifies what it has signed. */
  readonly verifying: CryptoKey;
}

/** A content key wrapped to a handheld. */
export interface WrappedContentKey {
  readonly keyId: string;
  readonly epk: string;
  readonly kem: string;
  readonly wrapped: string;
}

type KeyRole = "ecdh" | "mlkem" | "signing";

const ROLES = {
  ecdh: { algorithm: { name: "ECDH", namedCurve: "P-384" }, usages: ["deriveBits"] },
  mlkem: { algorithm: { name: "ML-KEM-768" }, usages: ["decapsulateBits"] },
  signing: { algorithm: { name: "Ed25519" }, usages: ["sign"] },
} as const;
const FORMAT = "meterkeep-recovery-key-1";
const JOURNAL_DOMAIN = "meterkeep-field-journal-1\n";
const CHECK_DOMAIN = "meterkeep-field-check-1\n";
const CHECK_BYTES = 32;
/** Each key seals one thing. */
const NO_NONCE = new Uint8Array(12);
const Z_BITS = 384;

/** What newer browsers have and the types of older ones do not (WebCrypto, modern algorithms). */
interface Decapsulation {
  decapsulateBits(algorithm: { readonly name: string }, key: CryptoKey, ciphertext: Octets): Promise<ArrayBuffer>;
}

/**
 * Makes a handheld of this device, for leases of one custodian: three key pairs, of which the private halves are at once wrapped
 * under what the passkey's authenticator gives for a touch of its owner.
 */
export async function makeHandheld(name: string, custodian: string): Promise<StoredHandheld> {
  const passkey = await makePasskey(name);
  const wrapping = await wrappingKey(passkey);
  const made = {} as Record<KeyRole, { spki: Octets; stored: StoredHandheld["wrapped"][KeyRole] }>;
  for (const role of Object.keys(ROLES) as KeyRole[]) made[role] = await makePair(role, wrapping, custodian);
  const { ecdh, mlkem, signing } = made;
  const keyId = toHexText(await crypto.subtle.digest("SHA-256", joined(ecdh.spki, mlkem.spki)));
  const text = {
    format: FORMAT,
    name,
    keyId,
    ecdh: toBase64(ecdh.spki),
    mlkem: toBase64(mlkem.spki),
    signing: toBase64(signing.spki),
  };
  return {
    name,
    keyId,
    custodian,
    passkey,
    wrapped: { ecdh: ecdh.stored, mlkem: mlkem.stored, signing: signing.stored },
    publicText: `${JSON.stringify(text)}\n`,
  };
}

async function makePair(role: KeyRole, wrapping: CryptoKey, custodian: string) {
  const { algorithm, usages } = ROLES[role];
  const others = role === "mlkem" ? ["encapsulateBits"] : role === "signing" ? ["verify"] : [];
  let pair: CryptoKeyPair;
  try {
    pair = (await crypto.subtle.generateKey(algorithm, true, [...usages, ...others] as KeyUsage[])) as CryptoKeyPair;
  } catch (cause) {
    throw new FieldError(`This browser cannot make ${algorithm.name} keys: take a newer one.`, { cause });
  }
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  // Whoever writes another custodian into the device's storage leaves keys that do not open.
  const binding = { name: "AES-GCM", iv, additionalData: utf8(custodian) };
  const octets = await crypto.subtle.wrapKey("pkcs8", pair.privateKey, wrapping, binding);
  return { spki, stored: { iv, octets } };
}

/** Asks the owner, and opens the handheld for one visit. @throws FieldError */
export async function openHandheld({
  name,
  keyId,
  custodian,
  passkey,
  wrapped,
  publicText,
}: StoredHandheld): Promise<OpenHandheld> {
  const wrapping = await wrappingKey(passkey);
  const opened = async (role: KeyRole): Promise<CryptoKey> => {
    const { algorithm, usages } = ROLES[role];
    const { iv, octets } = wrapped[role];
    const unwrapping = { name: "AES-GCM", iv, additionalData: utf8(custodian) };
    return crypto.subtle.unwrapKey("pkcs8", octets, wrapping, unwrapping, algorithm, false, usages as never);
  };
  try {
    const [ecdh, mlkem, signing] = await Promise.all([opened("ecdh"), opened("mlkem"), opened("signing")]);
    return { name, keyId, keys: { ecdh, mlkem, signing }, verifying: await verifyingKey(publicText, signing) };
  } catch (cause) {
    throw new FieldError("The handheld's keys do not open: they were damaged, or are another passkey's.", { cause });
  }
}

/** The public half of the signing key: it lies in clear, and only one that verifies what the private half signs is it. */
async function verifyingKey(publicText: string, signing: CryptoKey): Promise<CryptoKey> {
  const { subtle } = crypto;
  const said = JSON.parse(publicText) as { readonly signing: string };
  const { algorithm } = ROLES.signing;
  const key = await subtle.importKey("spki", fromBase64(said.signing), algorithm, false, ["verify"]);
  const check = joined(utf8(CHECK_DOMAIN), crypto.getRandomValues(new Uint8Array(CHECK_BYTES)));
  if (await subtle.verify(algorithm, key, await subtle.sign(algorithm, signing, check), check)) return key;
  throw new FieldError("The public keys of this handheld are another's.");
}

/** Opens what is sealed to the handheld; its octets are the caller's to wipe. @throws FieldError */
export async function openSealed(
  { keys, keyId }: OpenHandheld,
  { epk, kem, wrapped, keyId: recipient }: WrappedContentKey,
  data: string,
  sealed: string,
): Promise<Octets> {
  const { subtle } = crypto;
  if (recipient !== keyId) throw new FieldError("The lease is sealed to another handheld.");
  try {
    const [ephemeral, ciphertext] = [fromBase64(epk), fromBase64(kem)];
    const theirs = await subtle.importKey("spki", ephemeral, ROLES.ecdh.algorithm, false, []);
    const z = await subtle.deriveBits({ name: "ECDH", public: theirs }, keys.ecdh, Z_BITS);
    const shared = await (subtle as unknown as Decapsulation).decapsulateBits(
      ROLES.mlkem.algorithm,
      keys.mlkem,
      ciphertext,
    );
    const secret = joined(z, shared);
    const base = await subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
    for (const one of [secret, new Uint8Array(z), new Uint8Array(shared)]) one.fill(0);
    const info = joined(
      utf8("meterkeep-backup-1"),
      await subtle.digest("SHA-256", ephemeral),
      await subtle.digest("SHA-256", ciphertext),
    );
    const derivation = { name: "HKDF", hash: "SHA-384", salt: new Uint8Array(0), info };
    const aes = { name: "AES-GCM", length: 256 };
    const wrapping = await subtle.deriveKey(derivation, base, aes, false, ["unwrapKey"]);
    const unwrapping = { name: "AES-GCM", iv: NO_NONCE, additionalData: fromHexText(recipient) };
    const content = await subtle.unwrapKey("raw", fromBase64(wrapped), wrapping, unwrapping, aes, false, ["decrypt"]);
    const opening = { name: "AES-GCM", iv: NO_NONCE, additionalData: utf8(data) };
    return new Uint8Array(await subtle.decrypt(opening, content, fromBase64(sealed)));
  } catch (cause) {
    throw new FieldError("The lease does not open: it was changed.", { cause });
  }
}

/** The text of a journal that this handheld has signed. @throws FieldError */
export async function journalText({ verifying }: Pick<OpenHandheld, "verifying">, journal: string): Promise<string> {
  try {
    const { text, signature } = JSON.parse(journal) as { readonly text: string; readonly signature: string };
    const signed = utf8(JOURNAL_DOMAIN + text);
    if (await crypto.subtle.verify(ROLES.signing.algorithm, verifying, fromBase64(signature), signed)) return text;
  } catch (cause) {
    throw strangeJournal(cause);
  }
  throw strangeJournal();
}

/** What is told of a journal that is torn, or was written by somebody else. */
export function strangeJournal(cause?: unknown): FieldError {
  return new FieldError(
    "The journal on this device is not what this handheld has signed: it says which counters are used. Report the device as lost, clear what this page has stored, and have the meters lent anew.",
    { cause },
  );
}

/** A text with the handheld's signature, as JSON. */
export async function signedJournal({ keys }: Pick<OpenHandheld, "keys">, text: string): Promise<string> {
  const signature = toBase64(
    await crypto.subtle.sign(ROLES.signing.algorithm, keys.signing, utf8(JOURNAL_DOMAIN + text)),
  );
  return JSON.stringify({ text, signature });
}

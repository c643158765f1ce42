/**
 * Seals the keys of one meter to the custodian, in the browser, as docs/formats/shipment.md says in its last part.
 * What leaves the browser opens in the custodian's process and nowhere else: not in the head-end that carries it.
 */
import type { RecipientKeys, SealedMeterKeys } from "@meterkeep/api";

export interface KnownKeys {
  readonly encryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array | undefined;
}

/** Purposes of the key block. */
const GUEK = 0;
const GAK = 2;

type Octets = Uint8Array<ArrayBuffer>;

/** Seals `keys` of the meter `systemTitle` (16 upper-case hex digits) to `recipient`. */
export async function sealKeys(
  recipient: Pick<RecipientKeys, "keyId" | "ecdhPublicKey">,
  systemTitle: string,
  keys: KnownKeys,
  webCrypto: Pick<Crypto, "subtle" | "getRandomValues"> = crypto,
): Promise<SealedMeterKeys> {
  const { subtle } = webCrypto;
  const curve = { name: "ECDH", namedCurve: "P-384" } as const;
  const theirs = await subtle.importKey("spki", fromBase64Url(recipient.ecdhPublicKey), curve, false, []);
  const ours = await subtle.generateKey(curve, true, ["deriveBits"]);
  const epk = new Uint8Array(await subtle.exportKey("spki", ours.publicKey));
  const shared = await subtle.deriveBits({ name: "ECDH", public: theirs }, ours.privateKey, 384);
  const info = joined(ascii("meterkeep-meter-1"), new Uint8Array(await subtle.digest("SHA-256", epk)));
  const contentKey = await subtle.deriveKey(
    { name: "HKDF", hash: "SHA-384", salt: new Uint8Array(0), info },
    await subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]),
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt"],
  );
  const nonce = webCrypto.getRandomValues(new Uint8Array(12));
  const block = keyBlock(keys);
  const sealed = await subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData: ascii(`meterkeep-meter-1:${systemTitle}`), tagLength: 128 },
    contentKey,
    block,
  );
  block.fill(0);
  return {
    alg: "ECDH-P384/HKDF-SHA384/A256GCM",
    recipient: recipient.keyId,
    epk: toBase64Url(epk),
    nonce: toBase64Url(nonce),
    sealed: toBase64Url(new Uint8Array(sealed)),
  };
}

function keyBlock({ encryptionKey, authenticationKey }: KnownKeys): Octets {
  return joined(
    Uint8Array.of(GUEK, encryptionKey.length),
    encryptionKey,
    ...(authenticationKey === undefined ? [] : [Uint8Array.of(GAK, authenticationKey.length), authenticationKey]),
  );
}

function joined(...parts: readonly Uint8Array[]): Octets {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function ascii(text: string): Octets {
  return new TextEncoder().encode(text);
}

function toBase64Url(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

function fromBase64Url(text: string): Octets {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

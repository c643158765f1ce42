import { FieldError } from "./field-error.ts";
import { type Octets, utf8 } from "./octets.ts";

/** The passkey that the handheld's keys open with: which one, and what its secret is asked for. */
export interface FieldPasskey {
  readonly id: Octets;
  readonly salt: Octets;
}

/** Of the PRF extension (WebAuthn level 3): a secret that only this authenticator makes, of what it is asked. */
interface PrfResults {
  readonly prf?: { readonly enabled?: boolean; readonly results?: { readonly first?: ArrayBuffer } };
}

const SALT_BYTES = 32;
const ES256 = -7;
// Browsers warn without it; nothing verifies signatures of this passkey.
const RS256 = -257;

/** Makes a passkey at this device. @throws FieldError where its authenticator has no secret for pages (PRF) */
export async function makePasskey(name: string): Promise<FieldPasskey> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const credential = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
        rp: { id: location.hostname, name: "Meterkeep field" },
        user: { id: crypto.getRandomValues(new Uint8Array(SALT_BYTES)), name, displayName: name },
        pubKeyCredParams: [ES256, RS256].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { userVerification: "required", residentKey: "required" },
        attestation: "none",
        extensions: { prf: {} },
      },
    }),
  );
  if ((credential.getClientExtensionResults() as PrfResults).prf?.enabled !== true)
    throw new FieldError(
      "This device's passkeys keep no secret for pages (PRF): the keys of meters would lie open on it. Take another device, or `meterkeep field` on a computer.",
    );
  return { id: new Uint8Array(credential.rawId), salt };
}

/** The key that wraps the handheld's own, after the passkey's owner was asked. It is in no file and leaves the platform never. */
export async function wrappingKey({ id, salt }: FieldPasskey): Promise<CryptoKey> {
  const credential = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
        rpId: location.hostname,
        userVerification: "required",
        allowCredentials: [{ type: "public-key", id }],
        extensions: { prf: { eval: { first: salt } } },
      },
    }),
  );
  const secret = (credential.getClientExtensionResults() as PrfResults).prf?.results?.first;
  if (secret === undefined) throw new FieldError("The passkey gave no secret: the handheld's keys stay closed.");
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  new Uint8Array(secret).fill(0);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8("meterkeep-field-handheld-1") },
    base,
    { name: "AES-GCM", length: 256 },
    false,
    ["wrapKey", "unwrapKey"],
  );
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const credential = await ask();
    if (credential !== null) return credential as PublicKeyCredential;
  } catch (cause) {
    throw new FieldError("Your passkey was not given: nothing was opened.", { cause });
  }
  throw new FieldError("There is no passkey.");
}

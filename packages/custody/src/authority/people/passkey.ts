import { createHash, createPublicKey, verify } from "node:crypto";
import { decode, decodeFirst } from "cborg";

// Web Authentication Level 2, only what is needed to know one person again: ES256, no attestation, since nobody is asked
// which authenticator it is. The library in use elsewhere brings a dozen packages for the attestation formats.

/** Where passkeys are used: no other page's are taken. */
export interface RelyingParty {
  /** The domain; `localhost` for the custodian's own page. */
  readonly id: string;
  readonly origins: readonly string[];
}

const FLAG = { userPresent: 0x01, userVerified: 0x04, attested: 0x40 } as const;
const HEAD_BYTES = 37;
const AAGUID_BYTES = 16;
const COSE = { keyType: 1, algorithm: 3, curve: -1, x: -2, y: -3 } as const;
const ES256 = -7;
const CBOR_STRICT = { useMaps: true, rejectDuplicateMapKeys: true } as const;

/** A passkey as it was made. */
export interface MadePasskey {
  readonly credentialId: Uint8Array;
  /** SPKI. */
  readonly publicKey: Uint8Array;
  readonly signCount: number;
}

/** Reads what a browser made for a challenge; undefined where anything is not as it was asked for. */
export function readRegistration(
  party: RelyingParty,
  challenge: Uint8Array,
  { attestationObject, clientData }: { readonly attestationObject: Uint8Array; readonly clientData: Uint8Array },
): MadePasskey | undefined {
  if (!isClientData(party, "webauthn.create", challenge, clientData)) return undefined;
  try {
    const attestation: unknown = decode(attestationObject, CBOR_STRICT);
    const data = attestation instanceof Map ? attestation.get("authData") : undefined;
    if (!(data instanceof Uint8Array)) return undefined;
    const head = readHead(party, data);
    if (head === undefined || (head.flags & FLAG.attested) === 0) return undefined;
    const at = HEAD_BYTES + AAGUID_BYTES;
    if (data.length < at + 2) return undefined;
    const length = ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
    const credentialId = data.subarray(at + 2, at + 2 + length);
    if (length === 0 || length > 1023 || credentialId.length !== length) return undefined;
    const [key] = decodeFirst(data.subarray(at + 2 + length), CBOR_STRICT) as [unknown, Uint8Array];
    const publicKey = spkiOf(key);
    return publicKey && { credentialId: Uint8Array.from(credentialId), publicKey, signCount: head.signCount };
  } catch {
    return undefined;
  }
}

/**
 * Verifies that the holder of a passkey, verified by the authenticator, has signed a challenge on a page of ours. Gives the
 * authenticator's counter; undefined where anything is wrong, a counter that did not go up included.
 */
export function verifyAssertion(
  party: RelyingParty,
  passkey: { readonly publicKey: Uint8Array; readonly signCount: number },
  challenge: Uint8Array,
  assertion: {
    readonly authenticatorData: Uint8Array;
    readonly clientData: Uint8Array;
    readonly signature: Uint8Array;
  },
): { readonly signCount: number } | undefined {
  const { authenticatorData, clientData, signature } = assertion;
  if (!isClientData(party, "webauthn.get", challenge, clientData)) return undefined;
  const head = readHead(party, authenticatorData);
  if (head === undefined) return undefined;
  const signed = Buffer.concat([authenticatorData, createHash("sha256").update(clientData).digest()]);
  try {
    const key = createPublicKey({ key: Buffer.from(passkey.publicKey), format: "der", type: "spki" });
    if (!verify("sha256", signed, key, signature)) return undefined;
  } catch {
    return undefined;
  }
  // Synchronised passkeys count nothing: both are 0 then.
  const counts = head.signCount !== 0 || passkey.signCount !== 0;
  return counts && head.signCount <= passkey.signCount ? undefined : { signCount: head.signCount };
}

function isClientData(
  party: RelyingParty,
  type: "webauthn.create" | "webauthn.get",
  challenge: Uint8Array,
  clientData: Uint8Array,
): boolean {
  try {
    const read = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(clientData)) as Record<string, unknown>;
    return (
      read["type"] === type &&
      read["challenge"] === Buffer.from(challenge).toString("base64url") &&
      typeof read["origin"] === "string" &&
      party.origins.includes(read["origin"]) &&
      read["crossOrigin"] !== true
    );
  } catch {
    return false;
  }
}

/** The head of authenticator data: the hash of our domain, a person present and verified, the counter. */
function readHead({ id }: RelyingParty, data: Uint8Array): { flags: number; signCount: number } | undefined {
  if (data.length < HEAD_BYTES) return undefined;
  const wanted = createHash("sha256").update(id).digest();
  const flags = data[32] ?? 0;
  const both = FLAG.userPresent | FLAG.userVerified;
  if (!wanted.equals(data.subarray(0, 32)) || (flags & both) !== both) return undefined;
  return { flags, signCount: Buffer.from(data.subarray(33, HEAD_BYTES)).readUInt32BE() };
}

/** RFC 9053 7.1.1: an EC2 key on P-256 for ES256, as SPKI. */
function spkiOf(key: unknown): Uint8Array | undefined {
  if (!(key instanceof Map) || key.get(COSE.keyType) !== 2 || key.get(COSE.algorithm) !== ES256) return undefined;
  const [x, y] = [key.get(COSE.x), key.get(COSE.y)];
  if (key.get(COSE.curve) !== 1 || !isCoordinate(x) || !isCoordinate(y)) return undefined;
  const jwk = { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) };
  return new Uint8Array(createPublicKey({ key: jwk, format: "jwk" }).export({ format: "der", type: "spki" }));
}

function isCoordinate(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

function base64url(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64url");
}

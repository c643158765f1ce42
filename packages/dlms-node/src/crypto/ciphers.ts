import { type CipherGCMTypes, createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import {
  type AdditionalData,
  additionalDataLength,
  additionalDataOctets,
  type Ciphers,
  IV_BYTES,
  TAG_BYTES,
  type Vector,
  vectorOctets,
  writeAdditionalData,
  writeVector,
} from "@meterkeep/dlms";

const OPTIONS = { authTagLength: TAG_BYTES } as const;

// Vector, additional data and text of an operation stand here while it lasts, and are wiped with its end: additional data
// holds the authentication key, of which every APDU would else leave a copy behind. It is also faster: small arrays live in
// V8's own heap, and each that is handed to OpenSSL is moved out of it first.
const WORKSPACE_BYTES = 1024;
const workspace = new Uint8Array(new ArrayBuffer(WORKSPACE_BYTES));
const workspaceVector = workspace.subarray(0, IV_BYTES);
let workspaceData = workspace.subarray(IV_BYTES);
let workspacePlain = workspace.subarray(IV_BYTES);

/** A key of 16 or 32 octets; its length chooses the cipher. */
type CipherKey = KeyObject | Uint8Array;

/**
 * AES-GCM by node:crypto with keys that may be octets: for a key that is used once and wiped, of which a `KeyObject` would
 * keep a copy until it is collected. For one that is used again a `KeyObject` is the faster.
 */
export const octetKeyCiphers: Ciphers<CipherKey> = {
  seal(key, vector, data, plain) {
    const plainAt = IV_BYTES + additionalDataLength(data);
    const end = plainAt + plain.length;
    if (end > WORKSPACE_BYTES) return withoutWorkspace(data, (aad) => sealWith(key, vectorOctets(vector), aad, plain));
    try {
      enter(vector, data, plainAt);
      workspace.set(plain, plainAt);
      return sealWith(key, workspaceVector, workspaceData, plainInWorkspace(plainAt, plain.length));
    } finally {
      workspace.fill(0, 0, end);
    }
  },
  open(key, vector, data, cipher, tag) {
    if (tag.length !== TAG_BYTES) return undefined;
    const end = IV_BYTES + additionalDataLength(data);
    if (end > WORKSPACE_BYTES)
      return withoutWorkspace(data, (aad) => openWith(key, vectorOctets(vector), aad, cipher, tag));
    try {
      enter(vector, data, end);
      return openWith(key, workspaceVector, workspaceData, cipher, tag);
    } finally {
      workspace.fill(0, 0, end);
    }
  },
  crypt(key, vector, octets) {
    // Counter mode is its own inverse, so the encrypting direction serves both; the tag is not asked for.
    return createCipheriv(algorithm(key), key, vectorOctets(vector), OPTIONS).update(octets);
  },
};

/** AES-GCM by node:crypto. Keys are `KeyObject`s of 16 or 32 octets; their length chooses the cipher. */
export const nodeCiphers: Ciphers<KeyObject> = octetKeyCiphers;

/** Puts vector and additional data into the workspace; the views of requests in a row have the same lengths and are kept. */
function enter(vector: Vector, data: AdditionalData, dataEnd: number): void {
  writeVector(vector, workspace, 0);
  writeAdditionalData(data, workspace, IV_BYTES);
  if (workspaceData.length !== dataEnd - IV_BYTES) workspaceData = workspace.subarray(IV_BYTES, dataEnd);
}

function plainInWorkspace(at: number, length: number): Uint8Array {
  if (workspacePlain.length !== length || workspacePlain.byteOffset !== at)
    workspacePlain = workspace.subarray(at, at + length);
  return workspacePlain;
}

function withoutWorkspace<T>(data: AdditionalData, use: (aad: Uint8Array) => T): T {
  const aad = additionalDataOctets(data);
  try {
    return use(aad);
  } finally {
    aad.fill(0);
  }
}

function sealWith(key: CipherKey, iv: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm(key), key, iv, OPTIONS);
  cipher.setAAD(aad);
  const sealed = new Uint8Array(plain.length + TAG_BYTES);
  if (plain.length > 0) sealed.set(cipher.update(plain));
  cipher.final();
  sealed.set(cipher.getAuthTag(), plain.length);
  return sealed;
}

function openWith(
  key: CipherKey,
  iv: Uint8Array,
  aad: Uint8Array,
  cipher: Uint8Array,
  tag: Uint8Array,
): Uint8Array | undefined {
  const decipher = createDecipheriv(algorithm(key), key, iv, OPTIONS);
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plain = cipher.length > 0 ? decipher.update(cipher) : new Uint8Array(0);
  try {
    decipher.final();
  } catch {
    // node:crypto says no more than that the tag does not fit, and neither do we.
    return undefined;
  }
  return plain;
}

function algorithm(key: CipherKey): CipherGCMTypes {
  return (key instanceof Uint8Array ? key.length : key.symmetricKeySize) === 32 ? "aes-256-gcm" : "aes-128-gcm";
}

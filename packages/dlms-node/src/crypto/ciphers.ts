import { type CipherGCMTypes, createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import { type Ciphers, IV_BYTES, TAG_BYTES } from "@meterkeep/dlms";

const OPTIONS = { authTagLength: TAG_BYTES } as const;

// Small arrays live in V8's own heap, and each that is handed to OpenSSL is moved out of it first, which costs a tenth of
// the whole operation. What is short is copied here instead, used at once, and wiped.
const WORKSPACE_BYTES = 1024;
const workspace = new Uint8Array(new ArrayBuffer(WORKSPACE_BYTES));
const workspaceIv = workspace.subarray(0, IV_BYTES);
let workspaceAad = workspace.subarray(IV_BYTES);
let workspacePlain = workspace.subarray(IV_BYTES);

/** AES-GCM by node:crypto. Keys are `KeyObject`s of 16 or 32 octets; their length chooses the cipher. */
export const nodeCiphers: Ciphers<KeyObject> = {
  seal(key, iv, aad, plain) {
    const plainAt = IV_BYTES + aad.length;
    const end = plainAt + plain.length;
    if (end > WORKSPACE_BYTES) return sealWith(key, iv, aad, plain);
    workspace.set(iv);
    workspace.set(aad, IV_BYTES);
    workspace.set(plain, plainAt);
    try {
      return sealWith(key, workspaceIv, aadInWorkspace(aad.length), plainInWorkspace(plainAt, plain.length));
    } finally {
      workspace.fill(0, 0, end);
    }
  },
  open(key, iv, aad, cipher, tag) {
    const end = IV_BYTES + aad.length;
    if (tag.length !== TAG_BYTES) return undefined;
    if (end > WORKSPACE_BYTES) return openWith(key, iv, aad, cipher, tag);
    workspace.set(iv);
    workspace.set(aad, IV_BYTES);
    try {
      return openWith(key, workspaceIv, aadInWorkspace(aad.length), cipher, tag);
    } finally {
      workspace.fill(0, 0, end);
    }
  },
  crypt(key, iv, octets) {
    // Counter mode is its own inverse, so the encrypting direction serves both; the tag is not asked for.
    return createCipheriv(algorithm(key), key, iv, OPTIONS).update(octets);
  },
};

// Requests in a row have the same lengths: their views are kept.

function aadInWorkspace(length: number): Uint8Array {
  if (workspaceAad.length !== length) workspaceAad = workspace.subarray(IV_BYTES, IV_BYTES + length);
  return workspaceAad;
}

function plainInWorkspace(at: number, length: number): Uint8Array {
  if (workspacePlain.length !== length || workspacePlain.byteOffset !== at)
    workspacePlain = workspace.subarray(at, at + length);
  return workspacePlain;
}

function sealWith(key: KeyObject, iv: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm(key), key, iv, OPTIONS);
  cipher.setAAD(aad);
  const sealed = new Uint8Array(plain.length + TAG_BYTES);
  if (plain.length > 0) sealed.set(cipher.update(plain));
  cipher.final();
  sealed.set(cipher.getAuthTag(), plain.length);
  return sealed;
}

function openWith(
  key: KeyObject,
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

function algorithm(key: KeyObject): CipherGCMTypes {
  return key.symmetricKeySize === 32 ? "aes-256-gcm" : "aes-128-gcm";
}

import { type CipherGCMTypes, createCipheriv, createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Handle, Mechanism, Template } from "pkcs11js";
import { HsmError } from "../errors.ts";
import type { EncryptionKeyOperations, GcmRequest, WrappedEncryptionKey, WrappedSecret } from "../operations.ts";
import type { TokenSession } from "./session.ts";
import { mechanisms, templates } from "./templates.ts";
import { isUnwrapRefusal } from "./unwrap-refusal.ts";

const TAG_BYTES = 12;
const IV_BYTES = 12;
const CHECK_BYTES = 8;
const BLOCK_BYTES = 16;
const WRAP_OVERHEAD_BYTES = 8;
const FRESH_BYTES = 16;
const CHECKED_TEXT = Buffer.from("meterkeep-encryption-key-check-1");
/** No system title begins with three zeros, so that no APDU is ever protected under this vector. */
const CHECKED_IV = Buffer.alloc(IV_BYTES);

/**
 * Encryption keys of meters that are in clear in the token alone (ADR 0013).
 *
 * A key lies outside wrapped (RFC 3394) under a key that the token derives from a secret and the key's place: one that was
 * moved is wrapped under another key, and does not unwrap. Inside it is an object of a session, neither extractable nor
 * good for anything but GCM.
 */
export function encryptionKeysIn(
  session: TokenSession,
  openSecret: (secret: WrappedSecret) => Handle,
): EncryptionKeyOperations {
  const { library, ck } = session.cryptoki;
  const template = templates(ck);
  const { keyWrap } = mechanisms(ck);

  /** The key that wraps what belongs to a place: two blocks of CBC over the place's digest, under a secret of 32 octets. */
  function withPlaceKey<T>(secret: WrappedSecret, place: Uint8Array, use: (wrapping: Handle) => T): T {
    // Opened as what makes MACs first, which compares it with its check value.
    openSecret(secret);
    const master = session.keep(`derives/${secret.wrappedUnder}/${hex(secret.octets)}`, () =>
      library.C_UnwrapKey(
        session.handle,
        keyWrap,
        session.key(secret.wrappedUnder, ck.CKO_SECRET_KEY),
        Buffer.from(secret.octets),
        template.deriving,
      ),
    );
    const data = createHash("sha256").update("meterkeep-place-key-1").update(place).digest();
    const parameter = { type: ck.CK_PARAMS_AES_CBC, iv: Buffer.alloc(BLOCK_BYTES), data };
    const mechanism = { mechanism: ck.CKM_AES_CBC_ENCRYPT_DATA, parameter } as Mechanism;
    const wrapping = library.C_DeriveKey(session.handle, mechanism, master, template.placeKey);
    try {
      return use(wrapping);
    } finally {
      library.C_DestroyObject(session.handle, wrapping);
    }
  }

  function unwrapped(secret: WrappedSecret, { place, octets }: WrappedEncryptionKey, as: Template): Handle {
    return withPlaceKey(secret, place, (wrapping) => {
      try {
        return library.C_UnwrapKey(session.handle, keyWrap, wrapping, Buffer.from(octets), as);
      } catch (error) {
        if (!isUnwrapRefusal(error, () => unwrapFresh(wrapping))) throw error;
        throw new HsmError("hsm-key-wrong", "a wrapped key does not belong where it stands", { cause: error });
      }
    });
  }

  /** A token that does this is in no trouble. */
  function unwrapFresh(wrapping: Handle): void {
    const value = { type: ck.CKA_VALUE, value: randomBytes(FRESH_BYTES) };
    const fresh = library.C_CreateObject(session.handle, [...template.leavingKey, value]);
    const room = Buffer.alloc(FRESH_BYTES + WRAP_OVERHEAD_BYTES);
    const wrapped = copy(library.C_WrapKey(session.handle, keyWrap, wrapping, fresh, room));
    library.C_DestroyObject(session.handle, fresh);
    const handle = library.C_UnwrapKey(session.handle, keyWrap, wrapping, Buffer.from(wrapped), template.encryptionKey);
    library.C_DestroyObject(session.handle, handle);
  }

  /** The key as an object of this session: unwrapped once, and kept only when it is the one it should be. */
  function opened(secret: WrappedSecret, key: WrappedEncryptionKey): Handle {
    return session.keep(`encrypts/${hex(key.place)}/${hex(key.octets)}`, () => {
      const handle = unwrapped(secret, key, template.encryptionKey);
      if (hex(checkValueOf(handle)) === hex(key.checkValue)) return handle;
      throw new HsmError("hsm-key-wrong", "the token opened another key than the one that was asked for");
    });
  }

  function requireKey(handle: Handle, key: WrappedEncryptionKey): void {
    try {
      if (hex(checkValueOf(handle)) !== hex(key.checkValue))
        throw new HsmError("hsm-key-wrong", "the token wrapped another key than the one that was asked for");
    } finally {
      library.C_DestroyObject(session.handle, handle);
    }
  }

  function checkValueOf(handle: Handle): Uint8Array {
    return encrypt(handle, CHECKED_IV, CHECKED_TEXT, new Uint8Array(0)).slice(0, CHECK_BYTES);
  }

  function encrypt(handle: Handle, iv: Uint8Array, data: Uint8Array, text: Uint8Array): Uint8Array {
    library.C_EncryptInit(session.handle, gcm(iv, data), handle);
    return copy(library.C_Encrypt(session.handle, input(text), Buffer.alloc(text.length + TAG_BYTES)));
  }

  function answer(secret: WrappedSecret, { key, open, iv, data, text }: GcmRequest): Uint8Array | undefined {
    const handle = opened(secret, key);
    if (!open) return encrypt(handle, iv, data, text);
    if (text.length < TAG_BYTES) return undefined;
    if (text.length === TAG_BYTES) {
      // Decrypting nothing asks a library for the length instead.
      return timingSafeEqual(encrypt(handle, iv, data, new Uint8Array(0)), text) ? new Uint8Array(0) : undefined;
    }
    library.C_DecryptInit(session.handle, gcm(iv, data), handle);
    try {
      return copy(library.C_Decrypt(session.handle, input(text), Buffer.alloc(text.length)));
    } catch (error) {
      // What a tag that does not fit is called differs from token to token; that the session goes on is what tells it
      // from a token in trouble.
      encrypt(handle, CHECKED_IV, CHECKED_TEXT, new Uint8Array(0));
      if (isTagRefusal(error)) return undefined;
      throw error;
    }
  }

  function gcm(iv: Uint8Array, data: Uint8Array): Mechanism {
    const parameter = {
      type: ck.CK_PARAMS_AES_GCM,
      iv: Buffer.from(iv),
      // No copy: whoever gave it wipes it.
      aad: Buffer.from(data.buffer, data.byteOffset, data.length),
      ivBits: IV_BYTES * 8,
      tagBits: TAG_BYTES * 8,
    };
    return { mechanism: ck.CKM_AES_GCM, parameter } as Mechanism;
  }

  /** CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED, CKR_GENERAL_ERROR (SoftHSM). */
  function isTagRefusal(error: unknown): boolean {
    const { code } = error as { readonly code?: unknown };
    return code === 0x40 || code === 0x42 || code === 5;
  }

  return {
    wrapEncryptionKeys: (secret, keys) =>
      keys.map(({ place, octets }) => {
        const plain = library.C_CreateObject(session.handle, [
          ...template.leavingKey,
          { type: ck.CKA_VALUE, value: Buffer.from(octets) },
        ]);
        try {
          const wrapped = withPlaceKey(secret, place, (wrapping) =>
            library.C_WrapKey(
              session.handle,
              keyWrap,
              wrapping,
              plain,
              Buffer.alloc(octets.length + WRAP_OVERHEAD_BYTES),
            ),
          );
          const key = { place, octets: copy(wrapped), checkValue: hostCheckValue(octets) };
          // Under a fresh key of its place: what was wrapped under another one, or is another key, shows now.
          requireKey(unwrapped(secret, key, template.encryptionKey), key);
          return key;
        } finally {
          library.C_DestroyObject(session.handle, plain);
        }
      }),
    revealEncryptionKeys: (secret, keys) =>
      keys.map((key) => {
        const handle = unwrapped(secret, key, template.leavingKey);
        try {
          if (hex(checkValueOf(handle)) !== hex(key.checkValue))
            throw new HsmError("hsm-key-wrong", "the token opened another key than the one that was asked for");
          const [value] = library.C_GetAttributeValue(session.handle, handle, [{ type: ck.CKA_VALUE }]);
          return copy(value!.value);
        } finally {
          library.C_DestroyObject(session.handle, handle);
        }
      }),
    gcm: (secret, requests) => requests.map((request) => answer(secret, request)),
  };
}

/** The check value of a key that is in clear here, as the token has it. */
function hostCheckValue(octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv(`aes-${octets.length * 8}-gcm` as CipherGCMTypes, octets, CHECKED_IV, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(CHECKED_TEXT);
  cipher.final();
  return new Uint8Array(cipher.getAuthTag().subarray(0, CHECK_BYTES));
}

/** A zero-length slice of something: an empty buffer is a null pointer to the binding, and that asks for the length. */
function input(text: Uint8Array): Buffer {
  return text.length === 0 ? Buffer.alloc(1).subarray(0, 0) : Buffer.from(text);
}

/** A copy of its own: the binding's buffers are slices of larger ones. */
function copy(value: unknown): Uint8Array {
  return Uint8Array.from(value as Buffer);
}

function hex(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString("hex");
}

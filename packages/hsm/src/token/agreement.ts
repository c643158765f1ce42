import { createECDH, timingSafeEqual } from "node:crypto";
import type { Handle } from "pkcs11js";
import { HsmError } from "../errors.ts";
import type { AgreementOperations, AgreementPair, WrappedSecret } from "../operations.ts";
import type { TokenSession } from "./session.ts";
import { mechanisms, SHARED_BYTES, templates } from "./templates.ts";
import { isUnwrapRefusal } from "./unwrap-refusal.ts";

const POINT_BYTES = 2 * SHARED_BYTES;
/** More than PKCS #8 of a key on P-384 takes with its parameters and its public half. */
const WRAPPED_ROOM = 512;
/** Before x and y of a point that is not compressed. */
const UNCOMPRESSED = Buffer.of(4);

/**
 * Key pairs on P-384 whose private half is in clear in tokens alone (ADR 0079).
 *
 * It lies outside wrapped (RFC 5649) under a secret of its own that every token of a vault has, so that any of them agrees
 * with it. Inside it is an object of a session for as long as one agreement takes, neither extractable nor good for
 * anything else.
 */
export function agreementIn(session: TokenSession, openSecret: (secret: WrappedSecret) => Handle): AgreementOperations {
  const { library, ck } = session.cryptoki;
  const template = templates(ck);
  const mechanism = mechanisms(ck);

  /** The secret as what wraps private keys: it does nothing else but prove itself. */
  function wrappingKey(secret: WrappedSecret): Handle {
    // Opened as what makes MACs first, which compares it with its check value.
    openSecret(secret);
    return session.keep(`agrees/${secret.wrappedUnder}/${Buffer.from(secret.octets).toString("hex")}`, () =>
      library.C_UnwrapKey(
        session.handle,
        mechanism.keyWrap,
        session.key(secret.wrappedUnder, ck.CKO_SECRET_KEY),
        Buffer.from(secret.octets),
        template.pairWrapping,
      ),
    );
  }

  function makeAgreementPair(secret: WrappedSecret): AgreementPair {
    const pair = madePair(wrappingKey(secret));
    // In a fresh session, whose handles are looked up anew: what was wrapped under another key, or is another one's half,
    // shows now, and not when a shipment was sealed to it.
    session.renew();
    withPrivateKey(secret, pair, (key) => requirePair(key, pair.point));
    return pair;
  }

  function madePair(wrapping: Handle): AgreementPair {
    const { publicKey, privateKey } = library.C_GenerateKeyPair(
      session.handle,
      mechanism.makeSigningPair,
      ...template.agreementPair,
    );
    try {
      const [value] = library.C_GetAttributeValue(session.handle, publicKey, [{ type: ck.CKA_EC_POINT }]);
      const room = Buffer.alloc(WRAPPED_ROOM);
      const wrapped = library.C_WrapKey(session.handle, mechanism.privateKeyWrap, wrapping, privateKey, room);
      // An OCTET STRING around 04, x and y.
      return { point: copy(value!.value).slice(-POINT_BYTES), wrapped: copy(wrapped) };
    } finally {
      library.C_DestroyObject(session.handle, publicKey);
      library.C_DestroyObject(session.handle, privateKey);
    }
  }

  function withPrivateKey<T>(secret: WrappedSecret, { wrapped }: AgreementPair, use: (key: Handle) => T): T {
    const wrapping = wrappingKey(secret);
    let key: Handle;
    try {
      key = unwrapped(wrapping, wrapped);
    } catch (error) {
      if (!isUnwrapRefusal(error, () => unwrapFresh(wrapping))) throw error;
      throw new HsmError("hsm-key-wrong", "a wrapped private key does not open here", { cause: error });
    }
    try {
      return use(key);
    } finally {
      library.C_DestroyObject(session.handle, key);
    }
  }

  function unwrapped(wrapping: Handle, wrapped: Uint8Array): Handle {
    const { privateKeyWrap } = mechanism;
    return library.C_UnwrapKey(session.handle, privateKeyWrap, wrapping, Buffer.from(wrapped), template.agreementKey);
  }

  /** A token that does this is in no trouble. */
  function unwrapFresh(wrapping: Handle): void {
    library.C_DestroyObject(session.handle, unwrapped(wrapping, madePair(wrapping).wrapped));
  }

  /** A private key that was taken for another one agrees on nothing that both halves would. */
  function requirePair(key: Handle, point: Uint8Array): void {
    const other = createECDH("secp384r1");
    const otherPoint = other.generateKeys().subarray(UNCOMPRESSED.length);
    let wanted: Buffer;
    try {
      wanted = other.computeSecret(Buffer.concat([UNCOMPRESSED, point]));
    } catch (cause) {
      throw new HsmError("hsm-key-wrong", "a public key is no point of P-384", { cause });
    }
    if (timingSafeEqual(wanted, sharedWith(key, otherPoint))) return;
    throw new HsmError("hsm-key-wrong", "the halves of a key pair for agreement do not belong together");
  }

  function sharedWith(key: Handle, point: Uint8Array): Uint8Array {
    const parameter = {
      type: ck.CK_PARAMS_EC_DH,
      kdf: ck.CKD_NULL,
      publicData: Buffer.concat([UNCOMPRESSED, point]),
    };
    const derivation = { mechanism: ck.CKM_ECDH1_DERIVE, parameter };
    const shared = library.C_DeriveKey(session.handle, derivation, key, template.shared);
    try {
      const [value] = library.C_GetAttributeValue(session.handle, shared, [{ type: ck.CKA_VALUE }]);
      const octets = copy(value!.value);
      if (octets.length === SHARED_BYTES) return octets;
      throw new HsmError("hsm-key-wrong", `the token agreed on ${octets.length} octets instead of ${SHARED_BYTES}`);
    } finally {
      library.C_DestroyObject(session.handle, shared);
    }
  }

  function agree(secret: WrappedSecret, pair: AgreementPair, peer: Uint8Array): Uint8Array {
    return withPrivateKey(secret, pair, (key) => {
      requirePair(key, pair.point);
      const shared = sharedWith(key, peer);
      // What was read of another object would make a good shipment a false one.
      if (timingSafeEqual(shared, sharedWith(key, peer))) return shared;
      throw new HsmError("hsm-key-wrong", "the token agreed on two different secrets");
    });
  }

  return { makeAgreementPair, agree };
}

/** A copy of its own: the binding's buffers are slices of larger ones. */
function copy(value: unknown): Uint8Array {
  return Uint8Array.from(value as Buffer);
}

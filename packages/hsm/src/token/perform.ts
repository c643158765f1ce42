import { createHash, createHmac, createPublicKey, verify } from "node:crypto";
import type { Handle } from "pkcs11js";
import { HsmError } from "../errors.ts";
import type { TokenCurve, TokenDescription, TokenOperations, TransportKey, WrappedSecret } from "../operations.ts";
import { agreementIn } from "./agreement.ts";
import { unpadded } from "./cryptoki.ts";
import { encryptionKeysIn } from "./encryption-keys.ts";
import { probeIn } from "./probe.ts";
import type { TokenSession } from "./session.ts";
import { CURVE_PARAMETERS, mechanisms, SECRET_BYTES, templates } from "./templates.ts";
import { isUnwrapRefusal } from "./unwrap-refusal.ts";

const CHECK_BYTES = 8;
const MAC_BYTES = 32;
const CHECKED_TEXT = Buffer.from("meterkeep-vault-key-check-1");
const WRAP_OVERHEAD_BYTES = 8;
const COORDINATE_BYTES: Readonly<Record<TokenCurve, number>> = { "P-256": 32, "P-384": 48 };
const PAIR_TEXT = Buffer.from("meterkeep-key-pair-check-1");
const PAIR_HASHES: Readonly<Record<TokenCurve, string>> = { "P-256": "sha256", "P-384": "sha384" };
/** SubjectPublicKeyInfo of a point, up to its x. */
const POINT_PREFIXES: Readonly<Record<TokenCurve, Buffer>> = {
  "P-256": Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex"),
  "P-384": Buffer.from("3076301006072a8648ce3d020106052b8104002203620004", "hex"),
};

/** Carries out operations in one session of a token. A method that throws may have left an operation active in it. */
export function performIn(session: TokenSession): TokenOperations {
  const { library, ck } = session.cryptoki;
  const template = templates(ck);
  const mechanism = mechanisms(ck);
  /** Pairs whose halves were seen to belong together. */
  const matched = new Set<string>();

  function describe(): TokenDescription {
    const slot = session.slot;
    const info = library.C_GetTokenInfo(slot);
    return {
      label: unpadded(info.label),
      manufacturer: unpadded(info.manufacturerID),
      model: unpadded(info.model),
      serial: unpadded(info.serialNumber),
      firmware: `${info.firmwareVersion.major}.${info.firmwareVersion.minor}`,
      mechanisms: library.C_GetMechanismList(slot).map((number) => {
        const { minKeySize, maxKeySize, flags } = library.C_GetMechanismInfo(slot, number);
        return { mechanism: number, minKey: minKeySize, maxKey: maxKeySize, flags };
      }),
    };
  }

  function ensureWrappingKey(label: string): void {
    if (session.find(label, ck.CKO_SECRET_KEY).length === 0)
      library.C_GenerateKey(session.handle, mechanism.makeWrappingKey, template.wrappingKey(label));
  }

  function makeSecret(wrappedUnder: string, from?: Uint8Array): WrappedSecret {
    const handle =
      from === undefined
        ? library.C_GenerateKey(session.handle, mechanism.makeSecret, template.freshSecret)
        : library.C_CreateObject(session.handle, [
            ...template.secret,
            { type: ck.CKA_VALUE, value: Buffer.from(from) },
          ]);
    if (session.keeps(handle)) throw new HsmError("hsm-key-wrong", "the token gave another secret for a fresh one");
    // Another object behind the handle would be sealed with from now on, and lost with what it belongs to.
    if (from !== undefined)
      requireCheckValue(handle, createHmac("sha256", from).update(CHECKED_TEXT).digest().subarray(0, CHECK_BYTES));
    return wrapAndDestroy(handle, wrappedUnder);
  }

  function checkSecret({ octets: wrapped, wrappedUnder, checkValue }: WrappedSecret): void {
    requireOpens(wrapped, wrappedUnder, checkValue, unwrapFresh);
  }

  function macs(secret: WrappedSecret, texts: readonly Uint8Array[], isChecked = false): Uint8Array[] {
    const handle = opened(secret);
    if (isChecked) requireCheckValue(handle, secret.checkValue);
    return texts.map((text) => mac(handle, text));
  }

  function transportKey(label: string): TransportKey {
    if (session.find(label, ck.CKO_PRIVATE_KEY).length === 0)
      library.C_GenerateKeyPair(session.handle, mechanism.makeTransportPair, ...template.transportPair(label));
    const [modulus, exponent] = attributes(
      session.key(label, ck.CKO_PUBLIC_KEY),
      ck.CKA_MODULUS,
      ck.CKA_PUBLIC_EXPONENT,
    );
    return { modulus: modulus!, exponent: exponent! };
  }

  function exportSecret(secret: WrappedSecret, { modulus, exponent }: TransportKey): Uint8Array {
    const recipient = library.C_CreateObject(session.handle, template.peerKey(modulus, exponent));
    try {
      const room = Buffer.alloc(modulus.length);
      return octets(library.C_WrapKey(session.handle, mechanism.oaep, recipient, opened(secret), room));
    } finally {
      library.C_DestroyObject(session.handle, recipient);
    }
  }

  function importSecret(
    transportLabel: string,
    from: Uint8Array,
    wrappedUnder: string,
    checkValue: Uint8Array,
  ): WrappedSecret {
    const privateKey = session.key(transportLabel, ck.CKO_PRIVATE_KEY);
    const handle = library.C_UnwrapKey(session.handle, mechanism.oaep, privateKey, Buffer.from(from), template.secret);
    requireCheckValue(handle, checkValue);
    return wrapAndDestroy(handle, wrappedUnder);
  }

  function keyPair(label: string, curve: TokenCurve): Uint8Array {
    if (session.find(label, ck.CKO_PRIVATE_KEY).length === 0)
      library.C_GenerateKeyPair(session.handle, mechanism.makeSigningPair, ...template.signingPair(label, curve));
    const [parameters, point] = attributes(session.key(label, ck.CKO_PUBLIC_KEY), ck.CKA_EC_PARAMS, ck.CKA_EC_POINT);
    if (!CURVE_PARAMETERS[curve].equals(parameters!))
      throw new HsmError("hsm-key-wrong", `the key labelled ${label} is not on ${curve}`);
    // An OCTET STRING around 04, x and y.
    const octetsOfPoint = point!.slice(-2 * COORDINATE_BYTES[curve]);
    requireMatch(label, curve, octetsOfPoint);
    return octetsOfPoint;
  }

  /** A public key that was read of another object would be certified, and nothing could ever sign for it. */
  function requireMatch(label: string, curve: TokenCurve, point: Uint8Array): void {
    const name = `${label}/${hex(point)}`;
    if (matched.has(name)) return;
    const signature = sign(label, curve, createHash(PAIR_HASHES[curve]).update(PAIR_TEXT).digest());
    let isPair = false;
    try {
      const spki = Buffer.concat([POINT_PREFIXES[curve], point]);
      const key = createPublicKey({ key: spki, format: "der", type: "spki" });
      isPair = verify(PAIR_HASHES[curve], PAIR_TEXT, { key, dsaEncoding: "ieee-p1363" }, signature);
    } catch {
      // No point of the curve.
    }
    if (!isPair) throw new HsmError("hsm-key-wrong", `the halves of the key pair ${label} do not belong together`);
    matched.add(name);
  }

  function sign(label: string, curve: TokenCurve, digest: Uint8Array): Uint8Array {
    library.C_SignInit(session.handle, mechanism.ecdsa, session.key(label, ck.CKO_PRIVATE_KEY));
    return octets(library.C_Sign(session.handle, Buffer.from(digest), Buffer.alloc(2 * COORDINATE_BYTES[curve])));
  }

  /** The secret as an object of this session: unwrapped once, and kept only when it is the one it should be. */
  function opened({ octets: wrapped, wrappedUnder, checkValue }: WrappedSecret): Handle {
    return session.keep(`${wrappedUnder}/${hex(wrapped)}`, () => {
      const wrapping = session.key(wrappedUnder, ck.CKO_SECRET_KEY);
      const handle = library.C_UnwrapKey(
        session.handle,
        mechanism.keyWrap,
        wrapping,
        Buffer.from(wrapped),
        template.secret,
      );
      requireCheckValue(handle, checkValue);
      return handle;
    });
  }

  function wrapAndDestroy(handle: Handle, wrappedUnder: string): WrappedSecret {
    const wrapping = session.key(wrappedUnder, ck.CKO_SECRET_KEY);
    const room = Buffer.alloc(SECRET_BYTES + WRAP_OVERHEAD_BYTES);
    const wrapped = octets(library.C_WrapKey(session.handle, mechanism.keyWrap, wrapping, handle, room));
    const checkValue = mac(handle, CHECKED_TEXT).slice(0, CHECK_BYTES);
    library.C_DestroyObject(session.handle, handle);
    requireOpens(wrapped, wrappedUnder, checkValue);
    return { octets: wrapped, wrappedUnder, checkValue };
  }

  /**
   * Opens a wrapped secret in a fresh session, whose handles are looked up anew, and drops it: what was wrapped under
   * another key by a wrong handle is found out now, and not when nothing else is left to open.
   *
   * @param works throws where the token opens nothing at all: needless for what it has wrapped just now
   */
  function requireOpens(
    wrapped: Uint8Array,
    wrappedUnder: string,
    checkValue: Uint8Array,
    works: (wrapping: Handle) => void = () => undefined,
  ): void {
    session.renew();
    const wrapping = session.key(wrappedUnder, ck.CKO_SECRET_KEY);
    let handle: Handle;
    try {
      handle = library.C_UnwrapKey(session.handle, mechanism.keyWrap, wrapping, Buffer.from(wrapped), template.secret);
    } catch (cause) {
      if (!isUnwrapRefusal(cause, () => works(wrapping))) throw cause;
      throw new HsmError("hsm-key-wrong", `what is wrapped under ${wrappedUnder} does not open`, { cause });
    }
    try {
      requireCheckValue(handle, checkValue);
    } finally {
      library.C_DestroyObject(session.handle, handle);
    }
  }

  /** A token that does this is in no trouble. */
  function unwrapFresh(wrapping: Handle): void {
    const fresh = library.C_GenerateKey(session.handle, mechanism.makeSecret, template.freshSecret);
    const room = Buffer.alloc(SECRET_BYTES + WRAP_OVERHEAD_BYTES);
    const wrapped = octets(library.C_WrapKey(session.handle, mechanism.keyWrap, wrapping, fresh, room));
    library.C_DestroyObject(session.handle, fresh);
    const handle = library.C_UnwrapKey(
      session.handle,
      mechanism.keyWrap,
      wrapping,
      Buffer.from(wrapped),
      template.secret,
    );
    library.C_DestroyObject(session.handle, handle);
  }

  function requireCheckValue(handle: Handle, wanted: Uint8Array): void {
    if (hex(mac(handle, CHECKED_TEXT).slice(0, CHECK_BYTES)) === hex(wanted)) return;
    throw new HsmError("hsm-key-wrong", "the token opened another secret than the one that was asked for");
  }

  function mac(handle: Handle, text: Uint8Array): Uint8Array {
    library.C_SignInit(session.handle, mechanism.mac, handle);
    return octets(library.C_Sign(session.handle, Buffer.from(text), Buffer.alloc(MAC_BYTES)));
  }

  function attributes(handle: Handle, ...types: readonly number[]): Uint8Array[] {
    const wanted = types.map((type) => ({ type }));
    return library.C_GetAttributeValue(session.handle, handle, wanted).map(({ value }) => octets(value));
  }

  const probe = (purpose?: string) => probeIn(session, purpose);
  return {
    describe,
    probe,
    ensureWrappingKey,
    makeSecret,
    checkSecret,
    macs,
    transportKey,
    exportSecret,
    importSecret,
    keyPair,
    sign,
    ...encryptionKeysIn(session, opened),
    ...agreementIn(session, opened),
  };
}

/** A copy of its own: the binding's buffers are slices of larger ones. */
function octets(value: unknown): Uint8Array {
  return Uint8Array.from(value as Buffer);
}

function hex(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString("hex");
}

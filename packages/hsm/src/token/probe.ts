import type { Handle, Mechanism, Template } from "pkcs11js";
import type { Trial } from "../operations.ts";
import { ENCRYPTION_KEYS_PURPOSE } from "./probe-purpose.ts";
import type { TokenSession } from "./session.ts";
import { mechanisms, templates } from "./templates.ts";

const ROUNDS = 20;
const MOST_SESSIONS = 64;
const TEXT = Buffer.alloc(64, 7);
const TAG_BITS = 96;

/**
 * Tries what the platform would ask of a token, with objects of this session alone, so that nothing stays behind. Lists of
 * mechanisms promise much: what counts is what works with these parameters.
 *
 * @param only trials of this purpose alone
 */
export function probeIn(session: TokenSession, only?: string): Trial[] {
  const { library, ck } = session.cryptoki;
  const template = templates(ck);
  const mechanism = mechanisms(ck);
  const onlyHere = (all: Template): Template =>
    all.map((one) => (one.type === ck.CKA_TOKEN ? { ...one, value: false } : one));
  const trials: Trial[] = [];

  /** One trial: `prepare` once, what it gives `ROUNDS` times. A failed call may leave an operation active, so the session is renewed. */
  function attempt(name: string, purpose: string, prepare: (session: Handle) => () => unknown): void {
    if (only !== undefined && only !== purpose) return;
    const at = session.handle;
    try {
      const once = prepare(at);
      once();
      const begin = performance.now();
      for (let round = 0; round < ROUNDS; round += 1) once();
      trials.push({ name, purpose, milliseconds: (performance.now() - begin) / ROUNDS });
    } catch (error) {
      session.renew();
      trials.push({ name, purpose, refused: error instanceof Error ? error.message : String(error) });
    }
  }

  const secret = (at: Handle): Handle => library.C_GenerateKey(at, mechanism.makeSecret, template.freshSecret);
  const wrapping = (at: Handle): Handle =>
    library.C_GenerateKey(at, mechanism.makeWrappingKey, onlyHere(template.wrappingKey("")));
  const signingPair = (at: Handle, curve: "P-256" | "P-384") => {
    const [publicTemplate, privateTemplate] = template.signingPair("", curve);
    return library.C_GenerateKeyPair(
      at,
      mechanism.makeSigningPair,
      onlyHere(publicTemplate),
      onlyHere(privateTemplate),
    );
  };

  attempt("HMAC-SHA-256", "opening and sealing meter keys", (at) => {
    const key = secret(at);
    return () => {
      library.C_SignInit(at, mechanism.mac, key);
      return library.C_Sign(at, TEXT, Buffer.alloc(32));
    };
  });
  attempt("AES key wrap (RFC 3394)", "vault secrets in the database", (at) => {
    const [under, key] = [wrapping(at), secret(at)];
    return () => {
      const wrapped = library.C_WrapKey(at, mechanism.keyWrap, under, key, Buffer.alloc(40));
      library.C_DestroyObject(at, library.C_UnwrapKey(at, mechanism.keyWrap, under, wrapped, template.secret));
    };
  });
  attempt("RSA-OAEP 3072", "vault secrets between tokens", (at) => {
    const [publicTemplate, privateTemplate] = template.transportPair("");
    const keys = library.C_GenerateKeyPair(
      at,
      mechanism.makeTransportPair,
      onlyHere(publicTemplate),
      onlyHere(privateTemplate),
    );
    const key = secret(at);
    return () => {
      const wrapped = library.C_WrapKey(at, mechanism.oaep, keys.publicKey, key, Buffer.alloc(384));
      library.C_DestroyObject(at, library.C_UnwrapKey(at, mechanism.oaep, keys.privateKey, wrapped, template.secret));
    };
  });
  for (const curve of ["P-256", "P-384"] as const)
    attempt(`ECDSA ${curve}`, "authorities and the ledger", (at) => {
      const keys = signingPair(at, curve);
      return () => {
        library.C_SignInit(at, mechanism.ecdsa, keys.privateKey);
        return library.C_Sign(at, Buffer.alloc(curve === "P-256" ? 32 : 48, 1), Buffer.alloc(96));
      };
    });
  attempt("ECDH P-384, private key wrapped (RFC 5649)", "opening shipments", (at) => {
    const under = wrapping(at);
    const [own, other] = [0, 1].map(() =>
      library.C_GenerateKeyPair(at, mechanism.makeSigningPair, ...template.agreementPair),
    );
    const [point] = library.C_GetAttributeValue(at, other!.publicKey, [{ type: ck.CKA_EC_POINT }]);
    const parameter = {
      type: ck.CK_PARAMS_EC_DH,
      kdf: ck.CKD_NULL,
      publicData: (point!.value as Buffer).subarray(-97),
    };
    const derivation = { mechanism: ck.CKM_ECDH1_DERIVE, parameter };
    return () => {
      const wrapped = library.C_WrapKey(at, mechanism.privateKeyWrap, under, own!.privateKey, Buffer.alloc(512));
      const key = library.C_UnwrapKey(at, mechanism.privateKeyWrap, under, wrapped, template.agreementKey);
      const agreed = library.C_DeriveKey(at, derivation, key, template.shared);
      library.C_GetAttributeValue(at, agreed, [{ type: ck.CKA_VALUE }]);
      for (const one of [agreed, key]) library.C_DestroyObject(at, one);
    };
  });
  for (const [name, plain] of [
    ["AES-GCM, IV from outside, tag of 12", TEXT],
    // A zero-length slice of something: an empty buffer is a null pointer to the binding, and that asks for the length.
    ["GMAC, IV from outside, tag of 12", TEXT.subarray(0, 0)],
  ] as const)
    attempt(name, ENCRYPTION_KEYS_PURPOSE, (at) => {
      const key = library.C_GenerateKey(at, mechanism.makeWrappingKey, [
        { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
        { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
        { type: ck.CKA_VALUE_LEN, value: 16 },
        { type: ck.CKA_TOKEN, value: false },
        { type: ck.CKA_SENSITIVE, value: true },
        { type: ck.CKA_ENCRYPT, value: true },
      ]);
      const parameter = {
        type: ck.CK_PARAMS_AES_GCM,
        iv: Buffer.alloc(12, 1),
        aad: Buffer.alloc(17, 2),
        tagBits: TAG_BITS,
      };
      return () => {
        library.C_EncryptInit(at, { mechanism: ck.CKM_AES_GCM, parameter } as Mechanism, key);
        return library.C_Encrypt(at, plain, Buffer.alloc(plain.length + TAG_BITS / 8));
      };
    });
  attempt("keys derived by AES-CBC", ENCRYPTION_KEYS_PURPOSE, (at) => {
    const [under, key] = [wrapping(at), secret(at)];
    const wrapped = library.C_WrapKey(at, mechanism.keyWrap, under, key, Buffer.alloc(40));
    const master = library.C_UnwrapKey(at, mechanism.keyWrap, under, wrapped, template.deriving);
    const parameter = { type: ck.CK_PARAMS_AES_CBC, iv: Buffer.alloc(16), data: Buffer.alloc(32, 3) };
    const derivation = { mechanism: ck.CKM_AES_CBC_ENCRYPT_DATA, parameter } as Mechanism;
    return () => library.C_DestroyObject(at, library.C_DeriveKey(at, derivation, master, template.placeKey));
  });
  if (only === undefined) trials.push(sessionsAtOnce(session));
  return trials;
}

function sessionsAtOnce(session: TokenSession): Trial {
  const { library, ck } = session.cryptoki;
  const opened: Handle[] = [];
  const name = "sessions at once";
  const purpose = "throughput of a slow token";
  try {
    while (opened.length < MOST_SESSIONS)
      opened.push(library.C_OpenSession(session.slot, ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION));
    return { name, purpose, count: opened.length };
  } catch (error) {
    return { name, purpose, count: opened.length, refused: String(error) };
  } finally {
    for (const one of opened) library.C_CloseSession(one);
  }
}

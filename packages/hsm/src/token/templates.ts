import { createHash } from "node:crypto";
import type { Mechanism, Template } from "pkcs11js";
import type { TokenCurve } from "../operations.ts";
import type { Cryptoki } from "./cryptoki.ts";

const TRANSPORT_BITS = 3072;
const KEY_ID_BYTES = 20;
const PUBLIC_EXPONENT = Buffer.from([1, 0, 1]);
export const SECRET_BYTES = 32;
/** The x that both ends of an agreement on P-384 share. */
export const SHARED_BYTES = 48;

/** CKA_EC_PARAMS of the named curves. */
export const CURVE_PARAMETERS: Readonly<Record<TokenCurve, Buffer>> = {
  "P-256": Buffer.from("06082a8648ce3d030107", "hex"),
  "P-384": Buffer.from("06052b81040022", "hex"),
};

/** CKA_ID of a key of ours: both halves of a pair have the same, and no other key of the token has it. */
export function keyId(label: string): Buffer {
  return createHash("sha256").update(`meterkeep-token-key/${label}`).digest().subarray(0, KEY_ID_BYTES);
}

/** What keys may do, as attributes. A key of the token is never extractable, and does one thing only. */
export function templates(ck: Cryptoki["ck"]) {
  const object = (objectClass: number, label: string): Template => [
    { type: ck.CKA_CLASS, value: objectClass },
    { type: ck.CKA_TOKEN, value: true },
    { type: ck.CKA_LABEL, value: label },
    { type: ck.CKA_ID, value: keyId(label) },
  ];
  const guarded: Template = [
    { type: ck.CKA_PRIVATE, value: true },
    { type: ck.CKA_SENSITIVE, value: true },
    { type: ck.CKA_EXTRACTABLE, value: false },
  ];
  /** A secret while it is in a session: only MACs are made with it, and it can leave wrapped and in no other way. */
  const secret: Template = [
    { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
    { type: ck.CKA_KEY_TYPE, value: ck.CKK_GENERIC_SECRET },
    { type: ck.CKA_TOKEN, value: false },
    { type: ck.CKA_PRIVATE, value: true },
    { type: ck.CKA_SENSITIVE, value: true },
    { type: ck.CKA_EXTRACTABLE, value: true },
    { type: ck.CKA_SIGN, value: true },
  ];
  const aes: Template = [
    { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
    { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
    { type: ck.CKA_TOKEN, value: false },
    { type: ck.CKA_PRIVATE, value: true },
  ];
  const agreementKey: Template = [
    { type: ck.CKA_CLASS, value: ck.CKO_PRIVATE_KEY },
    { type: ck.CKA_KEY_TYPE, value: ck.CKK_EC },
    { type: ck.CKA_TOKEN, value: false },
    { type: ck.CKA_PRIVATE, value: true },
    { type: ck.CKA_SENSITIVE, value: true },
    { type: ck.CKA_DERIVE, value: true },
  ];
  return {
    secret,
    /** The same secret as the key from which the keys of places are derived. */
    deriving: [...aes, ...guarded.slice(1), { type: ck.CKA_DERIVE, value: true }] as Template,
    /** What wraps and unwraps what belongs to one place. */
    placeKey: [
      ...aes,
      ...guarded.slice(1),
      { type: ck.CKA_VALUE_LEN, value: SECRET_BYTES },
      { type: ck.CKA_WRAP, value: true },
      { type: ck.CKA_UNWRAP, value: true },
    ] as Template,
    /** An encryption key at work: it never leaves the token, and only ciphers. */
    encryptionKey: [
      ...aes,
      ...guarded.slice(1),
      { type: ck.CKA_ENCRYPT, value: true },
      { type: ck.CKA_DECRYPT, value: true },
    ] as Template,
    /** An encryption key on its way in or out, for a moment. */
    leavingKey: [
      ...aes,
      { type: ck.CKA_SENSITIVE, value: false },
      { type: ck.CKA_EXTRACTABLE, value: true },
      { type: ck.CKA_ENCRYPT, value: true },
    ] as Template,
    /** A secret as what wraps the private halves of key pairs for agreement. */
    pairWrapping: [
      ...aes,
      ...guarded.slice(1),
      { type: ck.CKA_WRAP, value: true },
      { type: ck.CKA_UNWRAP, value: true },
    ] as Template,
    /** A key pair for agreement while it is made: its private half leaves wrapped and in no other way. */
    agreementPair: [
      [
        { type: ck.CKA_CLASS, value: ck.CKO_PUBLIC_KEY },
        { type: ck.CKA_KEY_TYPE, value: ck.CKK_EC },
        { type: ck.CKA_TOKEN, value: false },
        { type: ck.CKA_EC_PARAMS, value: CURVE_PARAMETERS["P-384"] },
      ],
      [...agreementKey, { type: ck.CKA_EXTRACTABLE, value: true }],
    ] as [Template, Template],
    /** The private half at work: it never leaves the token, and only agrees. */
    agreementKey: [...agreementKey, { type: ck.CKA_EXTRACTABLE, value: false }] as Template,
    /** What was agreed on, to be read. */
    shared: [
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_GENERIC_SECRET },
      { type: ck.CKA_TOKEN, value: false },
      { type: ck.CKA_PRIVATE, value: true },
      { type: ck.CKA_SENSITIVE, value: false },
      { type: ck.CKA_EXTRACTABLE, value: true },
      { type: ck.CKA_VALUE_LEN, value: SHARED_BYTES },
    ] as Template,
    freshSecret: [...secret, { type: ck.CKA_VALUE_LEN, value: SECRET_BYTES }] as Template,
    wrappingKey: (label: string): Template => [
      ...object(ck.CKO_SECRET_KEY, label),
      ...guarded,
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
      { type: ck.CKA_VALUE_LEN, value: 32 },
      { type: ck.CKA_WRAP, value: true },
      { type: ck.CKA_UNWRAP, value: true },
      // What wraps must not decrypt as well: whoever may use it could have a wrapped secret in clear.
      { type: ck.CKA_ENCRYPT, value: false },
      { type: ck.CKA_DECRYPT, value: false },
    ],
    transportPair: (label: string): [Template, Template] => [
      [
        ...object(ck.CKO_PUBLIC_KEY, label),
        { type: ck.CKA_MODULUS_BITS, value: TRANSPORT_BITS },
        { type: ck.CKA_PUBLIC_EXPONENT, value: PUBLIC_EXPONENT },
        { type: ck.CKA_WRAP, value: true },
      ],
      [
        ...object(ck.CKO_PRIVATE_KEY, label),
        ...guarded,
        { type: ck.CKA_UNWRAP, value: true },
        { type: ck.CKA_DECRYPT, value: false },
        { type: ck.CKA_SIGN, value: false },
      ],
    ],
    peerKey: (modulus: Uint8Array, exponent: Uint8Array): Template => [
      { type: ck.CKA_CLASS, value: ck.CKO_PUBLIC_KEY },
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_RSA },
      { type: ck.CKA_TOKEN, value: false },
      { type: ck.CKA_MODULUS, value: Buffer.from(modulus) },
      { type: ck.CKA_PUBLIC_EXPONENT, value: Buffer.from(exponent) },
      { type: ck.CKA_WRAP, value: true },
    ],
    signingPair: (label: string, curve: TokenCurve): [Template, Template] => [
      [
        ...object(ck.CKO_PUBLIC_KEY, label),
        { type: ck.CKA_EC_PARAMS, value: CURVE_PARAMETERS[curve] },
        { type: ck.CKA_VERIFY, value: true },
      ],
      [...object(ck.CKO_PRIVATE_KEY, label), ...guarded, { type: ck.CKA_SIGN, value: true }],
    ],
  };
}

/** How secrets travel and lie. */
export function mechanisms(ck: Cryptoki["ck"]) {
  // SHA-1 as the mask's hash is what every token offers; OAEP does not rest on its resistance to collisions.
  const parameter = { type: ck.CK_PARAMS_RSA_OAEP, hashAlg: ck.CKM_SHA_1, mgf: ck.CKG_MGF1_SHA1, source: 1 };
  return {
    /** RFC 5649: PKCS #8 has no whole number of blocks. */
    privateKeyWrap: { mechanism: ck.CKM_AES_KEY_WRAP_PAD } as Mechanism,
    keyWrap: { mechanism: ck.CKM_AES_KEY_WRAP } as Mechanism,
    oaep: { mechanism: ck.CKM_RSA_PKCS_OAEP, parameter } as Mechanism,
    mac: { mechanism: ck.CKM_SHA256_HMAC } as Mechanism,
    ecdsa: { mechanism: ck.CKM_ECDSA } as Mechanism,
    makeSecret: { mechanism: ck.CKM_GENERIC_SECRET_KEY_GEN } as Mechanism,
    makeWrappingKey: { mechanism: ck.CKM_AES_KEY_GEN } as Mechanism,
    makeTransportPair: { mechanism: ck.CKM_RSA_PKCS_KEY_PAIR_GEN } as Mechanism,
    makeSigningPair: { mechanism: ck.CKM_EC_KEY_PAIR_GEN } as Mechanism,
  };
}

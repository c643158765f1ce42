import { concatBytes, NO_BYTES } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { ProtectionKeys } from "./content.ts";
import type { GeneralHeader } from "./general-header.ts";
import { deriveKey, staticPartyInfo } from "./key-derivation.ts";
import { AGREEMENT_SCHEMES, type KeyInfo, type KeySource } from "./key-info.ts";
import type { SecurityPlatform } from "./ports.ts";
import type { SecurityProfile } from "./profile.ts";
import { SECURITY_SUITES, type SecuritySuiteId } from "./suites.ts";

/** The key pairs of two sides, as far as one of them has and needs them. */
export interface AsymmetricKeys<Key> {
  /** This side's private keys. */
  readonly signing?: Key | undefined;
  readonly agreement?: Key | undefined;
  /** The other side's public keys, x and y, taken from certificates that somebody has checked. */
  readonly otherSigning?: Uint8Array | undefined;
  readonly otherAgreement?: Uint8Array | undefined;
}

/** What one side of a security setup holds for general-ciphering and general-signing. */
export interface GeneralKeys<Key> extends ProtectionKeys<Key>, AsymmetricKeys<Key> {
  /** The master key, for wrapped keys. */
  readonly keyEncryption?: Key | undefined;
}

/** The security setup that a general-* APDU belongs to. */
export interface GeneralSetup<Key> {
  readonly platform: SecurityPlatform<Key>;
  readonly suite: SecuritySuiteId;
  readonly profile: SecurityProfile;
  readonly keys: GeneralKeys<Key>;
}

/** A key for one message. */
export interface MessageKey<Key> {
  readonly info: KeyInfo | undefined;
  readonly source: KeySource;
  readonly keys: ProtectionKeys<Key>;
}

const SCHEME_SOURCES = new Map<number, KeySource>(
  Object.entries(AGREEMENT_SCHEMES).map(([source, id]) => [id, source as KeySource]),
);

/** Whose key a message says it has. @throws DlmsError `unknown-value`, `wrong-length` */
export function keySourceOf(info: KeyInfo | undefined): KeySource {
  // Without key-info the parties know which key it is: the unicast one unless they agreed otherwise.
  if (info === undefined) return "unicast";
  if (info.kind === "identified-key") return info.value.keyId === "global-unicast" ? "unicast" : "broadcast";
  if (info.kind === "wrapped-key") return "wrapped";
  const { keyParameters } = info.value;
  requireLength(keyParameters, 1, "key-parameters");
  const source = SCHEME_SOURCES.get(keyParameters[0]!);
  if (source === undefined)
    throw new DlmsError("unknown-value", `key agreement scheme ${keyParameters[0]} does not exist`);
  return source;
}

/**
 * Makes or finds the key for a message that this side sends.
 *
 * @throws DlmsError `key-missing`; `invalid-value` where the header lacks what the key is derived from
 */
export function messageKeyFor<Key>(
  setup: GeneralSetup<Key>,
  source: KeySource,
  header: GeneralHeader,
): MessageKey<Key> {
  const { platform, suite, keys } = setup;
  switch (source) {
    case "unicast":
      return { source, keys, info: { kind: "identified-key", value: { keyId: "global-unicast" } } };
    case "broadcast":
      return {
        source,
        keys: broadcastKeys(keys),
        info: { kind: "identified-key", value: { keyId: "global-broadcast" } },
      };
    case "wrapped": {
      const octets = platform.random(SECURITY_SUITES[suite].keyBytes);
      const keyCipheredData = platform.keyWrap.wrap(need(keys.keyEncryption, "the master key"), octets);
      const info = { kind: "wrapped-key", value: { kekId: "master-key", keyCipheredData } } as const;
      return { source, info, keys: importOnce(setup, octets) };
    }
    case "one-pass": {
      const curve = curveOf(suite);
      const ephemeral = platform.curves.generate(curve);
      const z = platform.curves.agree(curve, ephemeral.privateKey, need(keys.otherAgreement, OTHER_AGREEMENT));
      const signed = ephemeralSigned(setup.profile, ephemeral.publicKey);
      const signature = platform.curves.sign(curve, need(keys.signing, "this side's signing key"), signed);
      const keyCipheredData = concatBytes(ephemeral.publicKey, signature);
      const info = agreed("one-pass", keyCipheredData);
      return { source, info, keys: derive(setup, z, needTitle(header.originator), header) };
    }
    case "static":
      return { source, info: agreed("static", NO_BYTES), keys: deriveStatic(setup, header) };
    default:
      return source satisfies never;
  }
}

/**
 * Finds the key of a message that came in. The signature over an ephemeral key is verified before the key is used.
 *
 * @throws DlmsError `key-missing`; `authentication-failed` for a key that does not unwrap or whose signature does not
 *   hold; `unknown-value` for an unknown scheme; `wrong-length`
 */
export function messageKeyIn<Key>(
  setup: GeneralSetup<Key>,
  info: KeyInfo | undefined,
  header: GeneralHeader,
): MessageKey<Key> {
  const { platform, suite, keys } = setup;
  const source = keySourceOf(info);
  if (info === undefined || info.kind === "identified-key")
    return { source, info, keys: source === "broadcast" ? broadcastKeys(keys) : keys };
  const { keyCipheredData } = info.value;
  if (info.kind === "wrapped-key") {
    requireLength(keyCipheredData, SECURITY_SUITES[suite].keyBytes + 8, "a wrapped key");
    const octets = platform.keyWrap.unwrap(need(keys.keyEncryption, "the master key"), keyCipheredData);
    if (octets === undefined) throw new DlmsError("authentication-failed", "the key of the APDU does not unwrap");
    return { source, info, keys: importOnce(setup, octets) };
  }
  if (source === "static") {
    requireLength(keyCipheredData, 0, "key-ciphered-data with static keys");
    return { source, info, keys: deriveStatic(setup, header) };
  }
  const curve = curveOf(suite);
  const { signatureBytes } = SECURITY_SUITES[suite];
  requireLength(keyCipheredData, 2 * signatureBytes, "key-ciphered-data with an ephemeral key");
  const ephemeral = keyCipheredData.subarray(0, signatureBytes);
  const signed = ephemeralSigned(setup.profile, ephemeral);
  const authentic = platform.curves.verify(
    curve,
    need(keys.otherSigning, OTHER_SIGNING),
    signed,
    keyCipheredData.subarray(signatureBytes),
  );
  if (!authentic) throw new DlmsError("authentication-failed", "the signature of the ephemeral key does not hold");
  const z = platform.curves.agree(curve, need(keys.agreement, OWN_AGREEMENT), ephemeral);
  return { source, info, keys: derive(setup, z, needTitle(header.originator), header) };
}

const OWN_AGREEMENT = "this side's key agreement key";
const OTHER_AGREEMENT = "the other side's key agreement key";
const OTHER_SIGNING = "the other side's signing key";
/** key_id that some put before the ephemeral key: the octet of the scheme. */
const EPHEMERAL_KEY_ID = 1;

function ephemeralSigned({ ephemeralSignature }: SecurityProfile, publicKey: Uint8Array): Uint8Array {
  return ephemeralSignature === "public-key" ? publicKey : concatBytes(Uint8Array.of(EPHEMERAL_KEY_ID), publicKey);
}

function agreed(scheme: keyof typeof AGREEMENT_SCHEMES, keyCipheredData: Uint8Array): KeyInfo {
  const keyParameters = Uint8Array.of(AGREEMENT_SCHEMES[scheme]);
  return { kind: "agreed-key", value: { keyParameters, keyCipheredData } };
}

function deriveStatic<Key>(setup: GeneralSetup<Key>, header: GeneralHeader): ProtectionKeys<Key> {
  const { platform, suite, keys } = setup;
  // Without a transaction id every message would get the same key, and its vector repeats where the counter is zero.
  if (header.transactionId.length === 0)
    throw new DlmsError("invalid-value", "a key agreed of static keys needs a transaction id");
  const z = platform.curves.agree(
    curveOf(suite),
    need(keys.agreement, OWN_AGREEMENT),
    need(keys.otherAgreement, OTHER_AGREEMENT),
  );
  return derive(setup, z, staticPartyInfo(needTitle(header.originator), header.transactionId), header);
}

function derive<Key>(
  setup: GeneralSetup<Key>,
  z: Uint8Array | undefined,
  partyU: Uint8Array,
  { recipient }: GeneralHeader,
): ProtectionKeys<Key> {
  if (z === undefined) throw new DlmsError("authentication-failed", "the public key is no point of the curve");
  const { platform, suite, profile } = setup;
  return importOnce(setup, deriveKey(platform.hashes, suite, profile, { z, partyU, partyV: needTitle(recipient) }));
}

function importOnce<Key>({ platform, keys }: GeneralSetup<Key>, octets: Uint8Array): ProtectionKeys<Key> {
  const encryption = platform.importKey(octets);
  octets.fill(0);
  return { encryption, authentication: keys.authentication };
}

function broadcastKeys<Key>(keys: GeneralKeys<Key>): ProtectionKeys<Key> {
  return { encryption: need(keys.broadcast, "the broadcast key"), authentication: keys.authentication };
}

/** The curve of a suite. @throws DlmsError `invalid-value` for suite 0 */
export function curveOf(suite: SecuritySuiteId): "P-256" | "P-384" {
  const { curve } = SECURITY_SUITES[suite];
  if (curve === undefined) throw new DlmsError("invalid-value", "suite 0 has neither signatures nor key agreement");
  return curve;
}

function need<T>(key: T | undefined, name: string): T {
  if (key === undefined) throw new DlmsError("key-missing", `${name} is not known`);
  return key;
}

function needTitle(title: Uint8Array | undefined): Uint8Array {
  if (title === undefined) throw new DlmsError("invalid-value", "key agreement needs both system titles in the APDU");
  return title;
}

function requireLength(octets: Uint8Array, length: number, what: string): void {
  if (octets.length !== length)
    throw new DlmsError("wrong-length", `${what} has ${octets.length} octets where ${length} belong`);
}

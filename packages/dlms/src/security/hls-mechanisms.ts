import type { MECHANISMS } from "../acse/names.ts";
import { concatBytes, NO_BYTES } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import { equalInConstantTime } from "./constant-time.ts";
import { curveOf } from "./message-key.ts";
import type { Curves, Hashes } from "./ports.ts";
import { encryptBlocks, softwareKey } from "./software-aes.ts";
import type { SecuritySuiteId } from "./suites.ts";

/** One answer to a challenge, as the side that answers sees it (Green Book 9.2.2.2.2.4). */
export interface HlsExchange {
  /** The challenge that is answered. */
  readonly challenge: Uint8Array;
  /** The challenge that the answering side had sent. */
  readonly ownChallenge: Uint8Array;
  /** System title of the answering side; empty where it named none. */
  readonly ownTitle: Uint8Array;
  readonly otherTitle: Uint8Array;
  /** The answering side's certificate, where its AARQ or AARE brought one. */
  readonly certificate?: Uint8Array | undefined;
}

/** A mechanism of high level security whose answers have no counter: all but 5. Both sides use the same one. */
export interface HlsMechanism {
  readonly name: Exclude<keyof typeof MECHANISMS, "lowest" | "low" | "high-gmac"> & string;
  /** Both sides must say their system titles. */
  readonly needsTitles: boolean;
  /** The answer that this side gives. */
  answer(exchange: HlsExchange): Uint8Array;
  /** Whether an answer of the other side is right; compares in constant time. */
  verify(exchange: HlsExchange, answer: Uint8Array): boolean;
}

/**
 * Mechanisms 3 (MD5) and 4 (SHA-1), which hash challenge and secret, and 6 (SHA-256), which hashes secret, titles and
 * challenges. The first two are broken hashes over few octets: for meters that know nothing better.
 */
export function hashMechanism(
  hashes: Hashes,
  name: "high-md5" | "high-sha1" | "high-sha256",
  secret: Uint8Array,
): HlsMechanism {
  const answer = ({ challenge, ownChallenge, ownTitle, otherTitle }: HlsExchange): Uint8Array => {
    if (name === "high-md5") return hashes.digest("md5", concatBytes(challenge, secret));
    if (name === "high-sha1") return hashes.digest("sha-1", concatBytes(challenge, secret));
    return hashes.digest("sha-256", concatBytes(secret, ownTitle, otherTitle, challenge, ownChallenge));
  };
  return functionMechanism(name, answer, name === "high-sha256");
}

/**
 * Mechanism 2, whose function is the manufacturer's: any function of the exchange.
 *
 * @param answer gives the answer of either side
 */
export function manufacturerMechanism(answer: (exchange: HlsExchange) => Uint8Array): HlsMechanism {
  return functionMechanism("high", answer, false);
}

/**
 * The function of mechanism 2 that most meters have: the challenge, filled with zeros to whole blocks, encrypted by
 * AES-128 block for block under the secret, which is filled or cut to 16 octets.
 */
export function aesMechanism(secret: Uint8Array): HlsMechanism {
  const filled = new Uint8Array(16);
  filled.set(secret.subarray(0, 16));
  const key = softwareKey(filled);
  filled.fill(0);
  return manufacturerMechanism(({ challenge }) => encryptBlocks(key, challenge));
}

/** What mechanism 7 needs. */
export interface EcdsaMechanism<Key> {
  readonly curves: Pick<Curves<Key>, "sign" | "verify">;
  readonly suite: SecuritySuiteId;
  /** This side's private signing key. */
  readonly signing: Key;
  /**
   * The other side's public signing key: the one known, or that of a certificate it sent, which the callee checks, the
   * title in it included. Undefined when it is not to be believed.
   */
  otherSigning(title: Uint8Array, certificate: Uint8Array | undefined): Uint8Array | undefined;
}

/** Mechanism 7: signatures over both titles and both challenges. */
export function ecdsaMechanism<Key>({ curves, suite, signing, otherSigning }: EcdsaMechanism<Key>): HlsMechanism {
  const curve = curveOf(suite);
  const signed = ({ ownTitle, otherTitle, challenge, ownChallenge }: HlsExchange): Uint8Array =>
    concatBytes(ownTitle, otherTitle, challenge, ownChallenge);
  return {
    name: "high-ecdsa",
    needsTitles: true,
    answer: (exchange) => curves.sign(curve, signing, signed(exchange)),
    verify(exchange, answer) {
      const publicKey = otherSigning(exchange.ownTitle, exchange.certificate);
      return publicKey !== undefined && curves.verify(curve, publicKey, signed(exchange), answer);
    },
  };
}

function functionMechanism(
  name: HlsMechanism["name"],
  answer: (exchange: HlsExchange) => Uint8Array,
  needsTitles: boolean,
): HlsMechanism {
  return {
    name,
    needsTitles,
    answer,
    verify: (exchange, received) => equalInConstantTime(answer(exchange), received),
  };
}

/** The titles of an exchange, which some mechanisms cannot do without. @throws DlmsError `invalid-value` */
export function titlesOf(
  mechanism: Pick<HlsMechanism, "name" | "needsTitles">,
  ownTitle: Uint8Array | undefined,
  otherTitle: Uint8Array | undefined,
): Pick<HlsExchange, "ownTitle" | "otherTitle"> {
  if (mechanism.needsTitles && (ownTitle === undefined || otherTitle === undefined))
    throw new DlmsError("invalid-value", `mechanism "${mechanism.name}" needs the system titles of both sides`);
  return { ownTitle: ownTitle ?? NO_BYTES, otherTitle: otherTitle ?? NO_BYTES };
}

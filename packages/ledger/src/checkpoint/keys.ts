import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { LedgerDraft, LedgerEntry } from "../entry.ts";
import { LedgerError } from "../errors.ts";
import type { Note } from "./note.ts";

/** The public keys that sign a ledger's checkpoints, or a witness's countersignatures: both algorithms must verify. */
export interface LedgerKeys {
  /** From 1; counted with each change. */
  readonly version: number;
  /** ECDSA P-384, SPKI DER. One, or one for each token, any of which signs. */
  readonly ecdsa: readonly Uint8Array[];
  /** ML-DSA-65, SPKI DER. */
  readonly mldsa: Uint8Array;
}

/** Kind of the entry that announces keys: before they sign anything. */
export const KEYS_ANNOUNCED = "ledger-key-announced";

/** Names a ledger after its first keys, so that the name alone tells whether keys are the right ones. */
export function logName(first: LedgerKeys, epoch = 1): string {
  const hash = createHash("sha256");
  for (const key of [...first.ecdsa, first.mldsa]) hash.update(key);
  const name = `meterkeep-ledger/${hash.digest("hex").slice(0, 32)}`;
  return epoch === 1 ? name : `${name}/${epoch}`;
}

/** Id of a key under the name it signs for: the first 4 octets of SHA-256 over name, line feed, 0xff and SPKI; hex. */
export function keyId(name: string, spki: Uint8Array): string {
  return createHash("sha256").update(`${name}\n`).update(Uint8Array.of(0xff)).update(spki).digest("hex").slice(0, 8);
}

/** Whether a text carries a valid ECDSA and a valid ML-DSA signature of `keys` under `name`. */
export function isSignedBy(
  { text, signatures }: Pick<Note, "text" | "signatures">,
  name: string,
  { ecdsa, mldsa }: LedgerKeys,
): boolean {
  const octets = Buffer.from(text, "utf8");
  const holds = (spki: Uint8Array, check: (key: KeyObject, signature: Uint8Array) => boolean): boolean => {
    const id = keyId(name, spki);
    const own = signatures.filter((one) => one.name === name && one.keyId === id);
    return own.some(({ signature }) => check(publicKey(spki), signature));
  };
  return (
    ecdsa.some((spki) =>
      holds(spki, (key, signature) => verify("sha384", octets, { key, dsaEncoding: "ieee-p1363" }, signature)),
    ) && holds(mldsa, (key, signature) => verify(null, octets, key, signature))
  );
}

/** The entry that announces keys. */
export function keysDraft(keys: LedgerKeys, log: string, at: number): LedgerDraft {
  return { at, kind: KEYS_ANNOUNCED, principal: "ledger", utility: "*", island: "*", body: { log, ...keysJson(keys) } };
}

/** The keys an entry announces. @throws LedgerError `ledger-checkpoint-invalid`. */
export function keysOfEntry({ body, sequence }: Pick<LedgerEntry, "body" | "sequence">): LedgerKeys {
  try {
    return keysFromJson(JSON.parse(body));
  } catch (cause) {
    throw new LedgerError("ledger-checkpoint-invalid", `entry ${sequence} announces no keys`, { cause });
  }
}

/** Keys as JSON: base64 of their SPKI. */
export function keysJson({ version, ecdsa, mldsa }: LedgerKeys) {
  return { version, ecdsa: ecdsa.map(base64), mldsa: base64(mldsa) };
}

/** Keys from JSON; they are of the right algorithms. @throws LedgerError `ledger-checkpoint-invalid`. */
export function keysFromJson(value: unknown): LedgerKeys {
  const { version, ecdsa, mldsa } = (value ?? {}) as { version?: unknown; ecdsa?: unknown; mldsa?: unknown };
  const isText = (one: unknown): one is string => typeof one === "string";
  const isWhole = Number.isSafeInteger(version) && Array.isArray(ecdsa) && ecdsa.length > 0 && ecdsa.every(isText);
  if (!isWhole || !isText(mldsa)) throw new LedgerError("ledger-checkpoint-invalid", "these are no keys of a ledger");
  const keys = { version: version as number, ecdsa: ecdsa.map(octetsOf), mldsa: octetsOf(mldsa) };
  const areRight =
    keys.ecdsa.every((spki) => publicKey(spki).asymmetricKeyDetails?.namedCurve === "secp384r1") &&
    publicKey(keys.mldsa).asymmetricKeyType === "ml-dsa-65";
  if (!areRight) throw new LedgerError("ledger-checkpoint-invalid", "keys are not P-384 and ML-DSA-65");
  return keys;
}

function publicKey(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

function octetsOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

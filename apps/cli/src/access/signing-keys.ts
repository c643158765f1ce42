import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { publicKeyOctets } from "@meterkeep/dlms-node";
import { CliError } from "../error.ts";

/** What mechanism 7 needs: our private signing key, and the meter's public one. */
export interface SigningKeys {
  readonly own: KeyObject;
  readonly meter: Uint8Array;
  /** Of both: that of suite 1 or 2. */
  readonly suite: 1 | 2;
}

const SUITE_OF_BYTES: Readonly<Record<number, SigningKeys["suite"]>> = { 64: 1, 96: 2 };

/** Reads both keys from PEM files; the meter's may stand in its certificate. @throws CliError `option-invalid`, `keys-needed` */
export function readSigningKeys(ownPath: string | undefined, meterPath: string | undefined): SigningKeys {
  if (ownPath === undefined || meterPath === undefined)
    throw new CliError("keys-needed", "--mechanism ecdsa needs --signing-key and --meter-signing");
  const own = keyIn("--signing-key", ownPath, createPrivateKey);
  const meter = keyIn("--meter-signing", meterPath, (pem) =>
    pem.includes("CERTIFICATE") ? new X509Certificate(pem).publicKey : createPublicKey(pem),
  );
  const [ours, theirs] = [
    octetsOf("--signing-key", ownPath, own),
    octetsOf("--meter-signing", meterPath, meter),
  ] as const;
  const suite = SUITE_OF_BYTES[theirs.length];
  if (suite === undefined || ours.length !== theirs.length)
    throw new CliError("option-invalid", "--signing-key and --meter-signing must be of one curve, P-256 or P-384");
  return { own, meter: theirs, suite };
}

function keyIn(option: string, path: string, read: (pem: string) => KeyObject): KeyObject {
  try {
    return read(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CliError("option-invalid", `${option} ${path}: ${(cause as Error).message}`, { cause });
  }
}

function octetsOf(option: string, path: string, key: KeyObject): Uint8Array {
  try {
    return publicKeyOctets(key);
  } catch (cause) {
    throw new CliError("option-invalid", `${option} ${path}: it is no key of P-256 or P-384`, { cause });
  }
}

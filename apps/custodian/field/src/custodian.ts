import { FieldError } from "./field-error.ts";
import { fromBase64, joined, type Octets, toHexText, utf8 } from "./octets.ts";

/** Both signatures of a lease, and the public keys (SPKI) of who made them; base64. */
export interface LeaseSignatures {
  readonly ecdsa: string;
  readonly mldsa: string;
  readonly by: { readonly ecdsa: string; readonly mldsa: string };
}

const SIGNATURE_DOMAIN = "meterkeep-lease-signature-1:";
const ECDSA = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as const;
const MLDSA = { name: "ML-DSA-65" } as const;

/** The custodian that serves this page: 64 hex digits, to be kept with the keys that take its leases. @throws FieldError */
export async function servingCustodian(): Promise<string> {
  const answer = await fetch("/custodian.json").catch((cause: unknown) => {
    throw new FieldError("The custodian was not reached: a handheld learns who its custodian is when it is made.", {
      cause,
    });
  });
  const { custodian } = (await answer.json().catch(() => ({}))) as { readonly custodian?: unknown };
  if (typeof custodian === "string" && /^[0-9a-f]{64}$/.test(custodian)) return custodian;
  throw new FieldError("The custodian does not say who it is: its page and it are of different versions.");
}

/**
 * Requires what a lease file says to be signed by this custodian, with both its keys (docs/formats/lease.md).
 *
 * @param custodian SHA-256 over both public keys, hex
 * @param text the lease without its signatures, as it stands in the file
 * @throws FieldError
 */
export async function requireSignedBy(
  custodian: string,
  text: string,
  signed: LeaseSignatures | undefined,
): Promise<void> {
  if (signed === undefined) throw new FieldError("The lease is not taken: no custodian has signed it.");
  const isWhole = await isSigned(text, signed).catch((cause: unknown) => {
    if (cause instanceof FieldError) throw cause;
    // No keys, no base64: nothing that a custodian has made.
    return false;
  });
  if (!isWhole)
    throw new FieldError(
      "The lease is not taken: somebody changed it on its way. Get it anew, and tell whoever operates the custodian.",
    );
  const signer = toHexText(
    await crypto.subtle.digest("SHA-256", joined(fromBase64(signed.by.ecdsa), fromBase64(signed.by.mldsa))),
  );
  if (signer !== custodian)
    throw new FieldError(
      `The lease is not taken: custodian ${signer.slice(0, 16)} has signed it, and this handheld is ${custodian.slice(0, 16)}'s.`,
    );
}

async function isSigned(text: string, { ecdsa, mldsa, by }: LeaseSignatures): Promise<boolean> {
  const hash = toHexText(await crypto.subtle.digest("SHA-384", utf8(text)));
  const message = utf8(SIGNATURE_DOMAIN + hash);
  const verified = async (algorithm: typeof ECDSA | typeof MLDSA, spki: string, signature: string) => {
    const key = await imported(algorithm, fromBase64(spki));
    return crypto.subtle.verify(algorithm, key, fromBase64(signature), message);
  };
  return (await verified(ECDSA, by.ecdsa, ecdsa)) && (await verified(MLDSA, by.mldsa, mldsa));
}

async function imported(algorithm: typeof ECDSA | typeof MLDSA, spki: Octets): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("spki", spki, algorithm, false, ["verify"]);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "NotSupportedError")
      throw new FieldError(`This browser cannot verify ${algorithm.name} signatures: take a newer one.`, { cause });
    throw cause;
  }
}

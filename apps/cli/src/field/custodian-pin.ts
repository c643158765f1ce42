import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { CliError, EXIT } from "../error.ts";
import type { WrappedKey } from "./handheld-key.ts";

/** A lease file as it lies on the handheld (docs/formats/lease.md). */
export interface LeaseFile {
  readonly terms: string;
  readonly key: WrappedKey;
  readonly sealed: string;
  readonly signed?: {
    readonly ecdsa: string;
    readonly mldsa: string;
    /** SPKI DER, base64. */
    readonly by: { readonly ecdsa: string; readonly mldsa: string };
  };
}

/**
 * Requires a lease to be signed by this handheld's custodian, with both its keys. The first lease says who that is: its key id is
 * kept beside the handheld's own keys, and no other custodian's lease is taken from then on.
 *
 * @returns the custodian where this was the first lease: what a person compares, since until then nothing says whose it is
 * @throws CliError `lease-not-valid`
 */
export function requireCustodian({ terms, key, sealed, signed }: LeaseFile, pinFile: string): string | undefined {
  if (signed === undefined) throw refused("no custodian has signed it: get a new lease");
  const hash = createHash("sha384").update(JSON.stringify({ terms, key, sealed })).digest("hex");
  const text = Buffer.from(`meterkeep-lease-signature-1:${hash}`, "ascii");
  const ecdsa = { key: spki(signed.by.ecdsa), dsaEncoding: "ieee-p1363" } as const;
  const isWhole =
    verify("sha384", text, ecdsa, Buffer.from(signed.ecdsa, "base64")) &&
    verify(null, text, spki(signed.by.mldsa), Buffer.from(signed.mldsa, "base64"));
  if (!isWhole) throw refused("somebody changed it on its way: get it anew, and tell whoever operates the custodian");
  const signer = custodianId(signed.by);
  const isFirst = !existsSync(pinFile);
  if (isFirst) writeFileSync(pinFile, `${signer}\n`, { mode: 0o600, flag: "wx", flush: true });
  const pinned = readFileSync(pinFile, "utf8").trim();
  if (pinned !== signer)
    throw refused(
      `custodian ${signer.slice(0, 16)} has signed it, and this handheld is ${pinned.slice(0, 16)}'s: get one of this handheld's custodian; if the handheld moved to another one, remove ${pinFile} before it takes the first lease there`,
    );
  return isFirst ? signer : undefined;
}

/** What tells custodians apart: SHA-256 of the public keys they sign leases with, 64 hex digits. */
export function custodianId({ ecdsa, mldsa }: NonNullable<LeaseFile["signed"]>["by"]): string {
  return createHash("sha256").update(Buffer.from(ecdsa, "base64")).update(Buffer.from(mldsa, "base64")).digest("hex");
}

/** An id as people read it out: groups of four digits. */
export function readAloud(id: string): string {
  return id.match(/.{1,4}/g)?.join(" ") ?? id;
}

function spki(text: string): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" });
  } catch (cause) {
    throw new CliError("lease-not-valid", "the lease is not taken: who signed it has no public key", {
      exitStatus: EXIT.refused,
      cause,
    });
  }
}

function refused(why: string): CliError {
  return new CliError("lease-not-valid", `the lease is not taken: ${why}`, { exitStatus: EXIT.refused });
}

import { DlmsError, toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import { coversCertificate, openCrl, type Revocation, type RevocationList } from "./crl.ts";
import type { RevocationReason } from "./reasons.ts";

/** What revocation lists say of a certificate. */
export type ListStatus =
  | { readonly kind: "good" }
  | { readonly kind: "revoked"; readonly revokedAt: Date; readonly reason: RevocationReason }
  /** No list that is about it, that its issuer signed and that is good now: it is not to be believed. */
  | { readonly kind: "unknown"; readonly message: string };

/**
 * What the lists of its issuer say of a certificate (RFC 5280 clause 6.3), for whoever has lists and no registry. A list
 * counts when its issuer's key has signed it, all that is critical in it is understood, it is good now, and it is about the
 * certificate: a list of a shard is about certificates that name its address. What any of them names as revoked is revoked,
 * also where a newer list leaves it out: nobody takes a revocation back, save a delta that says so (removeFromCRL), or a
 * newer full list for one that was on hold alone. Without a full list nothing is good.
 *
 * @param lists DER, full lists and deltas in any order; those of other issuers are passed over
 */
export function statusByLists(
  certificate: Certificate,
  issuer: Certificate,
  lists: readonly Uint8Array[],
  at: Date,
): ListStatus {
  const wanted = toHex(certificate.serial);
  const known: Known[] = [];
  const refusals: string[] = [];
  for (const octets of lists)
    try {
      const list = openCrl(octets, issuer, at);
      // Entries are read now: of a list with one that is not understood none counts.
      if (coversCertificate(list, certificate)) known.push({ ...list, revocations: entriesOf(list, wanted) });
      else refusals.push(`list ${list.number} is not about it`);
    } catch (error) {
      if (!(error instanceof PkiError || error instanceof DlmsError)) throw error;
      refusals.push(error.message);
    }
  for (const list of known)
    for (const { reason, revokedAt } of list.revocations)
      if (reason !== "removeFromCRL" && !known.some((later) => takesBack(later, list, reason)))
        return { kind: "revoked", revokedAt, reason };
  if (known.some(({ since }) => since === undefined)) return { kind: "good" };
  return { kind: "unknown", message: `no list says anything of it${refusals.length > 0 ? `: ${refusals[0]}` : ""}` };
}

/** A list, with the entries that are about the certificate. */
type Known = Omit<RevocationList, "revocations"> & { readonly revocations: readonly Revocation[] };

/** Entries about one serial number; every entry is read. */
function entriesOf({ revocations }: RevocationList, serial: string) {
  return [...revocations].filter((one) => toHex(one.serial) === serial);
}

/** Whether a later list of the same shard says that what an earlier one names is no longer revoked. */
function takesBack(later: Known, earlier: Known, reason: RevocationReason): boolean {
  if (later.number <= earlier.number || later.shard !== earlier.shard) return false;
  if (later.since !== undefined) return later.revocations.some((one) => one.reason === "removeFromCRL");
  return reason === "certificateHold" && later.revocations.length === 0;
}

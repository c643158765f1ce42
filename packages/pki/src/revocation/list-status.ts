import { DlmsError, toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import { applyDelta, coversCertificate, openCrl, type RevocationList } from "./crl.ts";
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
 * certificate: a list of a shard is about certificates that name its address. The newest full list counts, brought up to
 * date by the newest delta that follows it; a certificate that any list or delta names as revoked is revoked.
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
  const known: RevocationList[] = [];
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
  const fulls = known.filter(({ since }) => since === undefined).sort(byNumber);
  const deltas = known.filter(({ since }) => since !== undefined).sort(byNumber);
  const full = fulls.at(-1);
  const delta = full && deltas.findLast((one) => follows(one, full));
  const current = full && (delta === undefined ? full : applyDelta(full, delta));
  const others = deltas.filter((one) => one !== delta);
  for (const { revocations } of [...(current === undefined ? [] : [current]), ...others])
    for (const { reason, revokedAt } of revocations)
      if (reason !== "removeFromCRL") return { kind: "revoked", revokedAt, reason };
  if (current !== undefined) return { kind: "good" };
  return { kind: "unknown", message: `no list says anything of it${refusals.length > 0 ? `: ${refusals[0]}` : ""}` };
}

/** Entries about one serial number; every entry is read. */
function entriesOf({ revocations }: RevocationList, serial: string) {
  return [...revocations].filter((one) => toHex(one.serial) === serial);
}

function follows(delta: RevocationList, full: RevocationList): boolean {
  return (
    delta.shard === full.shard && delta.since !== undefined && delta.since <= full.number && delta.number >= full.number
  );
}

function byNumber(one: RevocationList, other: RevocationList): number {
  return one.number < other.number ? -1 : one.number > other.number ? 1 : 0;
}

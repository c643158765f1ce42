import { DlmsError } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { PkiError } from "../errors.ts";

/** Why a certificate was revoked (RFC 5280 clause 5.3.1). */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
} as const;
export type RevocationReason = keyof typeof REVOCATION_REASONS;

/** Nothing here is un-revoked. @throws PkiError `request-refused` for the reason that takes an entry back */
export function requireRevoking(reason: RevocationReason): void {
  if (reason === "removeFromCRL")
    throw new PkiError("request-refused", `${reason} is no reason to revoke: nothing here is un-revoked`);
}

/** CRLReason by name. */
export const revocationReason = asn1.map("reason", asn1.enumerated, {
  decode(value): RevocationReason {
    const found = Object.entries(REVOCATION_REASONS).find(([, number]) => number === value);
    if (found === undefined) throw new DlmsError("unknown-value", `reason ${value}`);
    return found[0] as RevocationReason;
  },
  encode: (name) => REVOCATION_REASONS[name],
});

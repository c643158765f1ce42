import type { SecretKey } from "@meterkeep/dlms-node";
import { exactly, listOf, matching, object, text } from "@meterkeep/guard";
import { base64url } from "./canonical-json.ts";
import type { TrustedManufacturer } from "./manufacturer.ts";
import type { Recipient, SealedContentKey } from "./recipient.ts";
import { ShipmentRefusal } from "./refusal.ts";

const MAX_RECIPIENTS = 8;

/** Octets as lower-case hex. */
export const hex = (octets: number) =>
  matching(new RegExp(`^[0-9a-f]{${octets * 2}}$`), `${octets} octets as lower-case hex`);

export const rfc3339 = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, "a time in UTC (RFC 3339)");

/** Who signs. */
export const manufacturerField = object({
  flag: matching(/^[A-Z]{3}$/, "a FLAG id"),
  name: text(128),
  keyId: hex(32),
});

/** The content key, sealed to each recipient. */
export const sealField = object({
  alg: exactly("ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM"),
  recipients: listOf(
    object({ keyId: hex(32), epk: base64url(256), kem: base64url(1088), key: base64url(48) }),
    MAX_RECIPIENTS,
  ),
});

/** The manufacturer that a file names, where it is trusted. @throws ShipmentRefusal `shipment-manufacturer-unknown` */
export function trustedSigner(
  manufacturers: readonly TrustedManufacturer[],
  named: { readonly flag: string; readonly keyId: string },
): TrustedManufacturer {
  const found = manufacturers.find(({ keyId }) => keyId === named.keyId);
  if (found !== undefined && found.flag === named.flag) return found;
  throw new ShipmentRefusal(
    "shipment-manufacturer-unknown",
    0,
    `no trusted manufacturer ${named.flag} has the key ${named.keyId}`,
  );
}

/** The content key of what was sealed under an id. @throws ShipmentRefusal `shipment-recipient-wrong`, `shipment-malformed` */
export async function contentKeyFor(
  recipient: Recipient,
  id: string,
  recipients: readonly (SealedContentKey & { readonly keyId: string })[],
): Promise<SecretKey> {
  const ours = recipients.find(({ keyId }) => keyId === recipient.publicKeys.keyId);
  if (ours === undefined)
    throw new ShipmentRefusal(
      "shipment-recipient-wrong",
      0,
      `it is sealed to ${recipients.map(({ keyId }) => keyId).join(", ")}; this custodian is ${recipient.publicKeys.keyId}`,
    );
  const contentKey = await recipient.shipmentContentKey(Buffer.from(id, "hex"), ours);
  if (contentKey === undefined)
    throw new ShipmentRefusal("shipment-malformed", 0, "the header's seal does not open for this custodian");
  return contentKey;
}

/** @throws ShipmentRefusal `shipment-signature-wrong` unless both of a manufacturer's signatures are over a text */
export function requireSigned(
  manufacturer: TrustedManufacturer,
  text: string,
  { ecdsa, mldsa }: { readonly ecdsa: Uint8Array; readonly mldsa: Uint8Array },
  line: number,
): void {
  const verified = manufacturer.verifies(text, ecdsa, mldsa);
  const wrong = [verified.ecdsa ? [] : ["ECDSA P-384"], verified.mldsa ? [] : ["ML-DSA-65"]].flat();
  if (wrong.length > 0)
    throw new ShipmentRefusal(
      "shipment-signature-wrong",
      line,
      `the ${wrong.join(" and the ")} signature does not verify`,
    );
}

import { exactly, matching, object, Wrong } from "@meterkeep/guard";
import { base64url } from "./canonical-json.ts";
import { type BlockKey, readKeyBlock } from "./key-block.ts";
import { type Recipient, unsealBlock } from "./recipient.ts";
import { ShipmentRefusal } from "./refusal.ts";

const SEALED = object({
  alg: exactly("ECDH-P384/HKDF-SHA384/A256GCM"),
  recipient: matching(/^[0-9a-f]{64}$/, "a recipient's key id"),
  epk: base64url(256),
  nonce: base64url(12),
  sealed: base64url(512),
});

const GUEK = 0;
const KEY_BYTES: readonly number[] = [16, 32];

/**
 * Opens the sealed keys of a single meter (docs/formats/shipment.md). Keys have 16 octets, or 32 for suite 2; all of
 * one block have the same length.
 *
 * @param systemTitle 16 upper-case hex digits: the keys open for this meter only
 * @throws ShipmentRefusal with line 0.
 */
export function openSealedKeys(
  json: string,
  systemTitle: string,
  recipient: Recipient,
): { readonly keys: readonly BlockKey[]; readonly securitySuite: 0 | 2 } {
  const refuse = (code: ConstructorParameters<typeof ShipmentRefusal>[0], why: string) =>
    new ShipmentRefusal(code, 0, `the sealed keys of ${systemTitle}: ${why}`, { systemTitle });
  const value = SEALED(parsed(json));
  if (value instanceof Wrong) throw refuse("shipment-malformed", value.why);
  if (value.recipient !== recipient.publicKeys.keyId)
    throw refuse(
      "shipment-recipient-wrong",
      `sealed to ${value.recipient}; this custodian is ${recipient.publicKeys.keyId}`,
    );
  using contentKey = recipient.meterContentKey(value.epk);
  const data = Buffer.from(`meterkeep-meter-1:${systemTitle}`, "ascii");
  const block =
    value.nonce.length === 12 && contentKey !== undefined
      ? unsealBlock(contentKey, value.nonce, data, value.sealed)
      : undefined;
  if (block === undefined) throw refuse("meter-keys-not-authentic", "they do not unseal for this meter and custodian");
  const keyBytes = block.lend((bytes) => bytes[1] ?? 0);
  if (!KEY_BYTES.includes(keyBytes)) {
    block[Symbol.dispose]();
    throw refuse("meter-keys-incomplete", `a key of ${keyBytes} octets; 16, or 32 for suite 2, are known`);
  }
  const keys = readKeyBlock(block, keyBytes);
  if (typeof keys === "string") throw refuse("meter-keys-incomplete", keys);
  if (keys[0]?.purpose !== GUEK) {
    for (const { key } of keys) key[Symbol.dispose]();
    throw refuse("meter-keys-incomplete", "the global unicast encryption key (GUEK) is missing");
  }
  return { keys, securitySuite: keyBytes === 32 ? 2 : 0 };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

import type { SecretKey } from "@meterkeep/dlms-node";
import { exactly, matching, object, Wrong } from "@meterkeep/guard";
import { CHILD } from "../store/records.ts";
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
const CHILD_KEY_BYTES = 16;

/**
 * Opens the sealed keys of a single meter (docs/formats/shipment.md). Keys have 16 octets, or 32 for suite 2; all of
 * one block have the same length.
 *
 * @param systemTitle 16 upper-case hex digits: the keys open for this meter only
 * @throws ShipmentRefusal with line 0.
 */
export async function openSealedKeys(
  json: string,
  systemTitle: string,
  recipient: Recipient,
): Promise<{ readonly keys: readonly BlockKey[]; readonly securitySuite: 0 | 2 }> {
  const block = await openSealedBlock(json, systemTitle, recipient);
  const keyBytes = block.lend((bytes) => bytes[1] ?? 0);
  if (!KEY_BYTES.includes(keyBytes)) {
    block[Symbol.dispose]();
    throw refusal(
      "meter-keys-incomplete",
      systemTitle,
      `a key of ${keyBytes} octets; 16, or 32 for suite 2, are known`,
    );
  }
  const keys = readKeyBlock(block, keyBytes);
  if (typeof keys === "string") throw refusal("meter-keys-incomplete", systemTitle, keys);
  const isFurther = keys.some(({ setup }) => setup !== undefined);
  if (isFurther || keys[0]?.purpose !== GUEK) {
    for (const { key } of keys) key[Symbol.dispose]();
    const why = isFurther
      ? "keys of a further security setup come in a shipment alone"
      : "the global unicast encryption key (GUEK) is missing";
    throw refusal("meter-keys-incomplete", systemTitle, why);
  }
  return { keys, securitySuite: keyBytes === 32 ? 2 : 0 };
}

/** Opens the sealed default key of a device at one of a meter's M-Bus channels: a block with that key alone. @throws ShipmentRefusal */
export async function openSealedChild(
  json: string,
  systemTitle: string,
  recipient: Recipient,
): Promise<BlockKey & { client: number }> {
  const keys = readKeyBlock(await openSealedBlock(json, systemTitle, recipient), CHILD_KEY_BYTES);
  const [child, ...others] = typeof keys === "string" ? [] : keys;
  if (child?.purpose === CHILD.default && child.client !== undefined && others.length === 0)
    return { ...child, client: child.client };
  for (const { key } of typeof keys === "string" ? [] : keys) key[Symbol.dispose]();
  const why = typeof keys === "string" ? keys : "it is not the default key of one device";
  throw refusal("meter-keys-incomplete", systemTitle, why);
}

async function openSealedBlock(json: string, systemTitle: string, recipient: Recipient): Promise<SecretKey> {
  const value = SEALED(parsed(json));
  if (value instanceof Wrong) throw refusal("shipment-malformed", systemTitle, value.why);
  if (value.recipient !== recipient.publicKeys.keyId)
    throw refusal(
      "shipment-recipient-wrong",
      systemTitle,
      `sealed to ${value.recipient}; this custodian is ${recipient.publicKeys.keyId}`,
    );
  using contentKey = await recipient.meterContentKey(value.epk);
  const data = Buffer.from(`meterkeep-meter-1:${systemTitle}`, "ascii");
  const block =
    value.nonce.length === 12 && contentKey !== undefined
      ? unsealBlock(contentKey, value.nonce, data, value.sealed)
      : undefined;
  if (block === undefined)
    throw refusal("meter-keys-not-authentic", systemTitle, "they do not unseal for this meter and custodian");
  return block;
}

function refusal(code: ConstructorParameters<typeof ShipmentRefusal>[0], systemTitle: string, why: string) {
  return new ShipmentRefusal(code, 0, `the sealed keys of ${systemTitle}: ${why}`, { systemTitle });
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

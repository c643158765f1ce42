import { createHash, createHmac } from "node:crypto";
import type { SecretKey } from "@meterkeep/dlms-node";
import { exactly, text } from "@meterkeep/guard";
import { MASTER_BYTES } from "../vault/derivation.ts";
import { base64url, readLine } from "./canonical-json.ts";
import type { TrustedManufacturer } from "./manufacturer.ts";
import type { ShipmentTrust } from "./reader.ts";
import { SEALING_NONCE, unsealBlock } from "./recipient.ts";
import { ShipmentRefusal } from "./refusal.ts";
import {
  contentKeyFor,
  hex,
  manufacturerField,
  requireSigned,
  rfc3339,
  sealField,
  trustedSigner,
} from "./sealed-header.ts";

const LABEL = "meterkeep-factory-master-1";
const CHECK_BYTES = 8;

const FILE = {
  type: exactly("meterkeep-factory-master"),
  version: exactly(1),
  master: hex(16),
  manufacturer: manufacturerField,
  customer: text(128),
  created: rfc3339,
  check: hex(CHECK_BYTES),
  seal: sealField,
  sealed: base64url(64),
  ecdsa: base64url(96),
  mldsa: base64url(3309),
} as const;

/** A master that a manufacturer derives factory keys from. */
export interface FactoryMaster {
  /** 32 hex digits. */
  readonly master: string;
  readonly manufacturer: TrustedManufacturer;
  readonly created: string;
  /** The caller's to dispose of. */
  readonly key: SecretKey;
}

/** The name of a master in the vault: a manufacturer's own, so that nobody else's shipment can name it. */
export function masterName(manufacturerKey: string, master: string): string {
  return `${manufacturerKey}/${master}`;
}

/**
 * Opens the file that a manufacturer hands a master over in (docs/formats/shipment.md).
 *
 * @throws ShipmentRefusal with line 0
 */
export async function openFactoryMaster(
  octets: Uint8Array,
  { manufacturers, recipient }: Pick<ShipmentTrust, "manufacturers" | "recipient">,
): Promise<FactoryMaster> {
  const { value, raw } = readLine(octets, 0, FILE);
  const { master, created, check, seal, sealed } = value;
  const manufacturer = trustedSigner(manufacturers, value.manufacturer);
  const { ecdsa: _ecdsa, mldsa: _mldsa, ...signed } = raw;
  const digest = createHash("sha256").update(JSON.stringify(signed)).digest("hex");
  requireSigned(manufacturer, `${LABEL}:${digest}`, value, 0);
  using contentKey = await contentKeyFor(recipient, master, seal.recipients);
  const data = Buffer.concat([Buffer.from(LABEL, "ascii"), Buffer.from(master, "hex")]);
  const key = unsealBlock(contentKey, SEALING_NONCE, data, sealed);
  if (key === undefined) throw new ShipmentRefusal("shipment-malformed", 0, "the master does not unseal");
  const wrong = key.lend((bytes) => {
    if (bytes.length !== MASTER_BYTES) return `a master of ${bytes.length} octets; ${MASTER_BYTES} are known`;
    const mac = createHmac("sha256", bytes).update("meterkeep-check-2").update(Buffer.from(master, "hex")).digest();
    return mac.subarray(0, CHECK_BYTES).toString("hex") === check ? undefined : "the check value is not the master's";
  });
  if (wrong === undefined) return { master, manufacturer, created, key };
  key[Symbol.dispose]();
  throw new ShipmentRefusal("meter-check-value-wrong", 0, wrong);
}

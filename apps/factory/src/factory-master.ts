import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FactoryKeys } from "@meterkeep/meter";
import { FactoryError } from "./errors.ts";
import { writeDurably } from "./private-file.ts";
import type { Recipient } from "./recipient.ts";
import { sealedTo } from "./sealed-to.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** What the keys of a production are derived from (docs/formats/shipment.md, "Derived keys"). */
export interface FactoryMaster {
  /** 16 octets, lower-case hex. */
  readonly id: string;
  /** The caller's to zero. */
  readonly octets: Uint8Array;
}

/** Who hands a master over, to whom. */
export interface MasterDelivery {
  readonly manufacturer: { readonly flag: string; readonly name: string };
  readonly customer: string;
  /** RFC 3339 in UTC. */
  readonly created: string;
}

const ID_BYTES = 16;
const MASTER_BYTES = 32;
const LABEL = "meterkeep-factory-master-1";

const PURPOSES = [
  ["GUEK", "globalUnicastEncryptionKey"],
  ["GBEK", "globalBroadcastEncryptionKey"],
  ["GAK", "authenticationKey"],
  ["KEK", "keyEncryptionKey"],
] as const satisfies readonly (readonly [string, keyof FactoryKeys])[];

/** Opens the factory's master, or makes it on the first run that derives keys. */
export function openFactoryMaster(stateDirectory: string): FactoryMaster {
  const file = join(stateDirectory, "factory-master");
  if (!existsSync(file)) writeDurably(file, randomBytes(ID_BYTES + MASTER_BYTES).toString("hex"), 0o600);
  const octets = Buffer.from(readFileSync(file, "ascii").trim(), "hex");
  if (octets.length !== ID_BYTES + MASTER_BYTES)
    throw new FactoryError(
      "factory-master-damaged",
      `${file} does not hold an id and a master. Restore it from a backup: a new one derives other keys.`,
    );
  const master = {
    id: octets.subarray(0, ID_BYTES).toString("hex"),
    octets: Uint8Array.from(octets.subarray(ID_BYTES)),
  };
  octets.fill(0);
  return master;
}

/** The keys of one meter, of its first security setup or of a further one: SP 800-108r1 in counter mode with HMAC-SHA-256, one block each. */
export function derivedKeys(master: FactoryMaster, systemTitle: string, keyBytes: number, setup?: number): FactoryKeys {
  const where = setup === undefined ? "" : `/${setup}`;
  const key = (purpose: string): Uint8Array => {
    const mac = createHmac("sha256", master.octets)
      .update(Buffer.from([0, 0, 0, 1]))
      .update(`meterkeep-factory-1/${purpose}${where}\0`)
      .update(Buffer.from(systemTitle, "hex"))
      .update(Buffer.from([0, 0, (8 * keyBytes) >> 8, (8 * keyBytes) & 0xff]))
      .digest();
    const octets = Uint8Array.from(mac.subarray(0, keyBytes));
    mac.fill(0);
    return octets;
  };
  return Object.fromEntries(PURPOSES.map(([purpose, name]) => [name, key(purpose)])) as unknown as FactoryKeys;
}

/** The file in which a customer is handed the master: one line of JSON, sealed to it and signed. */
export function masterFile(
  { id, octets }: FactoryMaster,
  { manufacturer, customer, created }: MasterDelivery,
  recipient: Recipient,
  signing: SigningKeys,
): string {
  const master = Buffer.from(id, "hex");
  const contentKey = randomBytes(MASTER_BYTES);
  const cipher = createCipheriv("aes-256-gcm", contentKey, Buffer.alloc(12));
  cipher.setAAD(Buffer.concat([Buffer.from(LABEL, "ascii"), master]));
  const sealed = Buffer.concat([cipher.update(octets), cipher.final(), cipher.getAuthTag()]);
  const check = createHmac("sha256", octets).update("meterkeep-check-2").update(master).digest("hex").slice(0, 16);
  const line = {
    type: "meterkeep-factory-master",
    version: 1,
    master: id,
    manufacturer: { ...manufacturer, keyId: signing.keyId },
    customer,
    created,
    check,
    seal: { alg: "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM", recipients: [sealedTo(recipient, master, contentKey)] },
    sealed: sealed.toString("base64url"),
  };
  contentKey.fill(0);
  const digest = createHash("sha256").update(JSON.stringify(line)).digest("hex");
  const { ecdsa, mldsa } = signing.sign(`${LABEL}:${digest}`);
  const signatures = {
    ecdsa: Buffer.from(ecdsa).toString("base64url"),
    mldsa: Buffer.from(mldsa).toString("base64url"),
  };
  return `${JSON.stringify({ ...line, ...signatures })}\n`;
}

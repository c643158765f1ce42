import {
  createCipheriv,
  createHash,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import type { FactoryKeys } from "@meterkeep/meter";
import { MerkleTree } from "./merkle.ts";
import type { Recipient } from "./recipient.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** What a shipment says of one meter, in the order of docs/formats/shipment.md. */
export interface ShipmentMeter {
  readonly systemTitle: string;
  readonly logicalDeviceName: string;
  readonly serialNumber: string;
  readonly model: string;
  readonly hardwareRevision: string;
  readonly firmware: string;
  readonly profile: string;
  readonly securitySuite: 0 | 1 | 2;
  readonly holders: readonly string[];
}

/** The secret that opens an association for a client without keys: purpose 5 a password, 6 the secret of another mechanism. */
export interface ClientSecret {
  readonly purpose: 5 | 6;
  /** The client's service access point. */
  readonly client: number;
  readonly octets: Uint8Array;
}

/** What the header says, and what signs. */
export interface ShipmentDetails {
  readonly manufacturer: { readonly flag: string; readonly name: string };
  readonly customer: string;
  readonly count: number;
  /** RFC 3339 in UTC. */
  readonly created: string;
}

/** Purposes in a key block, in their order (docs/formats/shipment.md). */
const KEY_BLOCK = [
  [0, "globalUnicastEncryptionKey"],
  [1, "globalBroadcastEncryptionKey"],
  [2, "authenticationKey"],
  [3, "keyEncryptionKey"],
] as const satisfies readonly (readonly [number, keyof FactoryKeys])[];

const BUFFER_BYTES = 1 << 16;

/**
 * Writes one shipment file line by line (docs/formats/shipment.md, version 1).
 *
 * States: open, with the content key and the tree of the lines so far; then finished or abandoned, when the content key is zeroed and the file closed.
 */
export class ShipmentWriter {
  /** Lower-case hex. */
  readonly shipment: string;
  readonly #file: number;
  readonly #signing: SigningKeys;
  readonly #details: ShipmentDetails;
  readonly #contentKey: Uint8Array;
  readonly #tree = new MerkleTree();
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #count = 0;

  /** Makes the file, which must not exist yet, and writes the header. */
  constructor(path: string, details: ShipmentDetails, recipient: Recipient, signing: SigningKeys) {
    const shipment = randomBytes(16);
    this.shipment = shipment.toString("hex");
    this.#details = details;
    this.#signing = signing;
    const { contentKey, epk, kem } = agree(shipment, recipient);
    this.#contentKey = contentKey;
    this.#file = openSync(path, "wx", 0o644);
    this.#line(
      JSON.stringify({
        type: "meterkeep-shipment",
        version: 1,
        shipment: this.shipment,
        manufacturer: { ...details.manufacturer, keyId: signing.keyId },
        customer: details.customer,
        recipient: { keyId: recipient.keyId },
        created: details.created,
        count: details.count,
        seal: {
          alg: "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM",
          epk: epk.toString("base64url"),
          kem: kem.toString("base64url"),
        },
      }),
      true,
    );
  }

  /** Adds the record of one meter, its keys sealed under its place in the file and what the line says of it. */
  add(meter: ShipmentMeter, keys: FactoryKeys, secrets: readonly ClientSecret[] = []): void {
    this.#count += 1;
    const facts = {
      n: this.#count,
      systemTitle: meter.systemTitle,
      logicalDeviceName: meter.logicalDeviceName,
      serialNumber: meter.serialNumber,
      model: meter.model,
      hardwareRevision: meter.hardwareRevision,
      firmware: meter.firmware,
      profile: meter.profile,
      securitySuite: meter.securitySuite,
    };
    const holders = [...meter.holders];
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(this.#count, 8);
    const cipher = createCipheriv("aes-256-gcm", this.#contentKey, nonce);
    cipher.setAAD(
      createHash("sha384")
        .update(JSON.stringify({ ...facts, holders }))
        .digest(),
    );
    const block = keyBlock(keys, secrets);
    const sealed = Buffer.concat([cipher.update(block), cipher.final(), cipher.getAuthTag()]);
    block.fill(0);
    this.#line(JSON.stringify({ ...facts, keys: sealed.toString("base64url"), holders }), true);
  }

  /** Signs and closes the file, durably. */
  finish(): void {
    if (this.#count !== this.#details.count)
      throw new RangeError(`${this.#count} meters, but the header says ${this.#details.count}`);
    const root = Buffer.from(this.#tree.root()).toString("hex");
    const { ecdsa, mldsa } = this.#signing.sign(`meterkeep-shipment-1:${root}`);
    this.#line(
      JSON.stringify({
        type: "end",
        count: this.#count,
        root,
        ecdsa: Buffer.from(ecdsa).toString("base64url"),
        mldsa: Buffer.from(mldsa).toString("base64url"),
      }),
      false,
    );
    this.#flush();
    fsyncSync(this.#file);
    this.#close();
  }

  /** Closes an unfinished file; without its trailer no reader takes it. */
  abandon(): void {
    this.#close();
  }

  #close(): void {
    this.#contentKey.fill(0);
    closeSync(this.#file);
  }

  #line(json: string, isLeaf: boolean): void {
    const octets = Buffer.from(`${json}\n`);
    if (isLeaf) this.#tree.add(octets.subarray(0, -1));
    this.#pending.push(octets);
    this.#pendingBytes += octets.length;
    if (this.#pendingBytes >= BUFFER_BYTES) this.#flush();
  }

  #flush(): void {
    const octets = Buffer.concat(this.#pending);
    for (let written = 0; written < octets.length; ) written += writeSync(this.#file, octets, written);
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

/** The content key, agreed with both of the recipient's keys: it is safe while either of them is. */
function agree(shipment: Buffer, recipient: Recipient): { contentKey: Uint8Array; epk: Buffer; kem: Buffer } {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const zEcdh = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient.ecdh });
  const { sharedKey: zMlkem, ciphertext: kem } = encapsulate(recipient.mlkem);
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const info = Buffer.concat([Buffer.from("meterkeep-shipment-1", "ascii"), sha256(epk), sha256(kem)]);
  const z = Buffer.concat([zEcdh, zMlkem]);
  const contentKey = new Uint8Array(hkdfSync("sha384", z, shipment, info, 32));
  for (const secret of [zEcdh, zMlkem, z]) secret.fill(0);
  return { contentKey, epk, kem };
}

function sha256(octets: Buffer): Buffer {
  return createHash("sha256").update(octets).digest();
}

function keyBlock(keys: FactoryKeys, secrets: readonly ClientSecret[]): Buffer {
  return Buffer.concat([
    ...KEY_BLOCK.flatMap(([purpose, name]) => [Buffer.of(purpose, keys[name].length), keys[name]]),
    ...secrets.flatMap(({ purpose, client, octets }) => [Buffer.of(purpose, octets.length + 1, client), octets]),
  ]);
}

import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import type { FactoryKeys, FactorySetup } from "@meterkeep/meter";
import { MerkleTree } from "./merkle.ts";
import type { Recipient } from "./recipient.ts";
import { sealedTo } from "./sealed-to.ts";
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
  /** SHA-256 of the trust anchors burned in, lower-case hex; none where there are none. */
  readonly anchors?: readonly string[];
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
  /** New meters, or a fleet that is in service elsewhere; new ones unless given. */
  readonly kind?: "delivery" | "fleet";
  /** The id of the master that the keys follow from: they are not in the file then. */
  readonly master?: string | undefined;
}

/** Purposes in a key block, in their order (docs/formats/shipment.md). */
const KEY_BLOCK = [
  [0, "globalUnicastEncryptionKey"],
  [1, "globalBroadcastEncryptionKey"],
  [2, "authenticationKey"],
  [3, "keyEncryptionKey"],
] as const satisfies readonly (readonly [number, keyof FactoryKeys])[];

const BUFFER_BYTES = 1 << 16;
const CONTENT_KEY_BYTES = 32;
const CHECK_BYTES = 8;
/** The highest invocation counter that was used before. */
const COUNTER_ENTRY = 254;
/** What follows is of a further security setup. */
const SETUP_ENTRY = 253;

/** Keys of a meter as far as they are known: of a meter in service perhaps not all. */
export type KnownKeys = Pick<FactoryKeys, "globalUnicastEncryptionKey"> & Partial<FactoryKeys>;

/** What a meter has beside the keys of its first security setup. */
export interface Beside {
  readonly secrets?: readonly ClientSecret[];
  /** The highest counter that was used before, in any of its security setups. */
  readonly counter?: number | undefined;
  /** The security setups beside the first, rising. */
  readonly setups?: readonly FactorySetup[];
}

/**
 * Writes one shipment file line by line (docs/formats/shipment.md, version 2).
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
  constructor(path: string, details: ShipmentDetails, recipients: readonly Recipient[], signing: SigningKeys) {
    const shipment = randomBytes(16);
    this.shipment = shipment.toString("hex");
    this.#details = details;
    this.#signing = signing;
    this.#contentKey = new Uint8Array(randomBytes(CONTENT_KEY_BYTES));
    this.#file = openSync(path, "wx", 0o644);
    this.#line(
      JSON.stringify({
        type: "meterkeep-shipment",
        version: 2,
        shipment: this.shipment,
        manufacturer: { ...details.manufacturer, keyId: signing.keyId },
        customer: details.customer,
        kind: details.kind ?? "delivery",
        created: details.created,
        count: details.count,
        master: details.master,
        seal: {
          alg: "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM",
          recipients: recipients.map((recipient) => sealedTo(recipient, shipment, this.#contentKey)),
        },
      }),
      true,
    );
  }

  /** Adds the record of one meter, its keys sealed under its place in the file and what the line says of it. */
  add(meter: ShipmentMeter, keys: KnownKeys, beside: Beside = {}): void {
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
      check: checkValues(meter.systemTitle, keys),
    };
    const holders = [...meter.holders];
    const { anchors } = meter;
    const setups = beside.setups?.map((one) => ({
      setup: one.setup,
      check: checkValues(meter.systemTitle, one.keys, one.setup),
    }));
    const named = { anchors, setups: setups?.length === 0 ? undefined : setups };
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(this.#count, 8);
    const cipher = createCipheriv("aes-256-gcm", this.#contentKey, nonce);
    cipher.setAAD(
      createHash("sha384")
        .update(JSON.stringify({ ...facts, holders, ...named }))
        .digest(),
    );
    const block = keyBlock(this.#details.master === undefined, keys, beside);
    const sealed = Buffer.concat([cipher.update(block), cipher.final(), cipher.getAuthTag()]);
    block.fill(0);
    this.#line(JSON.stringify({ ...facts, keys: sealed.toString("base64url"), holders, ...named }), true);
  }

  /** Signs and closes the file, durably. */
  finish(): void {
    if (this.#count !== this.#details.count)
      throw new RangeError(`${this.#count} meters, but the header says ${this.#details.count}`);
    const root = Buffer.from(this.#tree.root()).toString("hex");
    const { ecdsa, mldsa } = this.#signing.sign(`meterkeep-shipment-2:${root}`);
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

/** A check value of each key: who has the key can tell it again (docs/formats/shipment.md). */
function checkValues(systemTitle: string, keys: KnownKeys, setup?: number): string[] {
  return knownKeys(keys).map(([purpose, octets]) =>
    createHmac("sha256", octets)
      .update("meterkeep-check-2")
      .update(Buffer.from(systemTitle, "hex"))
      .update(Buffer.from(setup === undefined ? [purpose] : [purpose, setup]))
      .digest("hex")
      .slice(0, 2 * CHECK_BYTES),
  );
}

function knownKeys(keys: Partial<FactoryKeys>): (readonly [number, Uint8Array])[] {
  return KEY_BLOCK.flatMap(([purpose, name]) => {
    const octets = keys[name];
    return octets === undefined ? [] : [[purpose, octets] as const];
  });
}

function keyBlock(
  hasKeys: boolean,
  keys: Partial<FactoryKeys>,
  { secrets = [], counter, setups = [] }: Beside,
): Buffer {
  const entry = Buffer.alloc(6);
  entry.set([COUNTER_ENTRY, 4]);
  entry.writeUInt32BE(counter ?? 0, 2);
  const entriesOf = (own: Partial<FactoryKeys>) =>
    hasKeys ? knownKeys(own).flatMap(([purpose, octets]) => [Buffer.of(purpose, octets.length), octets]) : [];
  return Buffer.concat([
    ...entriesOf(keys),
    ...secrets.flatMap(({ purpose, client, octets }) => [Buffer.of(purpose, octets.length + 1, client), octets]),
    ...(counter === undefined ? [] : [entry]),
    ...(hasKeys ? setups.flatMap((one) => [Buffer.of(SETUP_ENTRY, 1, one.setup), ...entriesOf(one.keys)]) : []),
  ]);
}

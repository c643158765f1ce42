import {
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import type { BlockKey } from "../shipment/key-block.ts";
import { MerkleTree } from "../shipment/merkle.ts";
import { type RecipientPublicKeys, SEALING_NONCE, sealingData, sealingInfo } from "../shipment/recipient.ts";
import type { MeterRecord } from "../store/records.ts";
import type { Sender } from "./sender.ts";

/** A meter with the keys that are on it, which the caller disposes of. */
export interface DepartingMeter {
  readonly meter: Pick<
    MeterRecord,
    | "systemTitle"
    | "logicalDeviceName"
    | "serialNumber"
    | "model"
    | "hardwareRevision"
    | "firmware"
    | "profile"
    | "securitySuite"
    | "holders"
    | "anchors"
  >;
  /** Keys of the first security setup, then secrets, by client, then those of further setups: in the order of a key block. */
  readonly keys: readonly BlockKey[];
  /** The highest counter that may have been used, in any of its security setups. */
  readonly counter: number;
}

/** What the header of a transfer says. */
export interface TransferHeader {
  readonly sender: { readonly flag: string; readonly name: string };
  readonly customer: string;
  readonly created: Date;
}

const SEAL_ALGORITHM = "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM";
const CONTENT_KEY_BYTES = 32;
const CHECK_BYTES = 8;
const COUNTER_ENTRY = 254;
const SETUP_ENTRY = 253;
const MOST_HOLDERS = 16;

/** The text of a shipment of kind `transfer` (docs/formats/shipment.md): for its recipient only, who takes the meters over. */
export function transferFile(
  { sender: { flag, name }, customer, created }: TransferHeader,
  meters: readonly DepartingMeter[],
  recipient: RecipientPublicKeys,
  sender: Sender,
): { readonly shipment: string; readonly text: string } {
  const shipment = randomBytes(16);
  const contentKey = randomBytes(CONTENT_KEY_BYTES);
  const lines: string[] = [];
  const tree = new MerkleTree();
  const add = (value: object) => {
    const line = JSON.stringify(value);
    tree.append(Buffer.from(line, "utf8"));
    lines.push(line);
  };
  try {
    add({
      type: "meterkeep-shipment",
      version: 2,
      shipment: shipment.toString("hex"),
      manufacturer: { flag, name, keyId: sender.keyId },
      customer,
      kind: "transfer",
      created: created.toISOString(),
      count: meters.length,
      seal: { alg: SEAL_ALGORITHM, recipients: [sealedTo(recipient, shipment, contentKey)] },
    });
    for (const [at, meter] of meters.entries()) add(record(meter, at + 1, name, contentKey));
  } finally {
    contentKey.fill(0);
  }
  const root = Buffer.from(tree.root()).toString("hex");
  const { ecdsa, mldsa } = sender.sign(`meterkeep-shipment-2:${root}`);
  lines.push(JSON.stringify({ type: "end", count: meters.length, root, ecdsa: base64(ecdsa), mldsa: base64(mldsa) }));
  return { shipment: shipment.toString("hex"), text: lines.map((line) => `${line}\n`).join("") };
}

function sealedTo(recipient: RecipientPublicKeys, shipment: Uint8Array, contentKey: Uint8Array) {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const z = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: publicKey(recipient.ecdh) });
  const { sharedKey, ciphertext } = encapsulate(publicKey(recipient.mlkem));
  const ikm = Buffer.concat([z, sharedKey]);
  const info = sealingInfo(epk, ciphertext);
  const sealing = Buffer.from(hkdfSync("sha384", ikm, shipment, info, CONTENT_KEY_BYTES));
  const key = sealed(sealing, SEALING_NONCE, sealingData(shipment, recipient.keyId), contentKey);
  for (const secret of [z, sharedKey, ikm, sealing]) secret.fill(0);
  return { keyId: recipient.keyId, epk: base64(epk), kem: base64(ciphertext), key: base64(key) };
}

function record({ meter, keys, counter }: DepartingMeter, n: number, sender: string, contentKey: Uint8Array) {
  const facts = {
    n,
    systemTitle: meter.systemTitle,
    logicalDeviceName: meter.logicalDeviceName,
    serialNumber: meter.serialNumber,
    model: meter.model,
    hardwareRevision: meter.hardwareRevision,
    firmware: meter.firmware,
    profile: meter.profile,
    securitySuite: meter.securitySuite,
    check: checkValues(meter.systemTitle, keys, undefined),
  };
  const further = [...new Set(keys.flatMap(({ setup }) => setup ?? []))];
  const setups = further.map((setup) => ({ setup, check: checkValues(meter.systemTitle, keys, setup) }));
  const named = { anchors: meter.anchors, ...(setups.length > 0 && { setups }) };
  // Who had it before could have its keys from their change, and we have them: the taint of who comes next.
  const holders = [...meter.holders.filter((name) => name !== sender).slice(0, MOST_HOLDERS - 1), sender];
  const data = createHash("sha384")
    .update(JSON.stringify({ ...facts, holders, ...named }))
    .digest();
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(n, 8);
  const block = keyBlock(keys, counter);
  const octets = sealed(contentKey, nonce, data, block);
  block.fill(0);
  return { ...facts, keys: base64(octets), holders, ...named };
}

function keyBlock(keys: DepartingMeter["keys"], counter: number): Buffer {
  const first = keys.filter(({ setup }) => setup === undefined);
  const entry = Buffer.from([COUNTER_ENTRY, 4, 0, 0, 0, 0]);
  entry.writeUInt32BE(counter, 2);
  const further = keys.flatMap((key, at) => {
    const { setup } = key;
    if (setup === undefined) return [];
    const begins = keys[at - 1]?.setup !== setup;
    return [...(begins ? [Buffer.of(SETUP_ENTRY, 1, setup)] : []), entryOf(key)];
  });
  const parts = [...first.map(entryOf), entry, ...further];
  const block = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return block;
}

function entryOf({ purpose, client, key }: DepartingMeter["keys"][0]): Buffer {
  return key.lend((octets) =>
    client === undefined
      ? Buffer.concat([Uint8Array.of(purpose, octets.length), octets])
      : Buffer.concat([Uint8Array.of(purpose, octets.length + 1, client), octets]),
  );
}

function checkValues(systemTitle: string, keys: DepartingMeter["keys"], wanted: number | undefined): string[] {
  return keys
    .filter(({ client, setup }) => client === undefined && setup === wanted)
    .map(({ purpose, setup, key }) =>
      key.lend((octets) =>
        createHmac("sha256", octets)
          .update("meterkeep-check-2")
          .update(Buffer.from(systemTitle, "hex"))
          .update(setup === undefined ? Uint8Array.of(purpose) : Uint8Array.of(purpose, setup))
          .digest("hex")
          .slice(0, 2 * CHECK_BYTES),
      ),
    );
}

function sealed(key: Uint8Array, nonce: Uint8Array, data: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(data);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function publicKey(spki: Uint8Array) {
  return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64url");
}

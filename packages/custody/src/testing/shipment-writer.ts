import {
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { type TrustedManufacturer, trustedManufacturer } from "../shipment/manufacturer.ts";
import type { RecipientPublicKeys } from "../shipment/recipient.ts";

// Written from docs/formats/shipment.md for the tests of the reader; the factory's writer is other code.

/** A manufacturer with its private keys. */
export interface TestManufacturer {
  readonly trusted: TrustedManufacturer;
  readonly ecdsa: KeyObject;
  readonly mldsa: KeyObject;
}

export function testManufacturer(name = "Test Meters", flag = "TST"): TestManufacturer {
  const ecdsa = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const mldsa = generateKeyPairSync("ml-dsa-65");
  const trusted = trustedManufacturer({
    name,
    flag,
    ecdsaPublicKey: ecdsa.publicKey.export({ type: "spki", format: "der" }).toString("base64url"),
    mldsaPublicKey: mldsa.publicKey.export({ type: "spki", format: "der" }).toString("base64url"),
  });
  return { trusted, ecdsa: ecdsa.privateKey, mldsa: mldsa.privateKey };
}

/** A meter to be shipped; the keys are in the order GUEK, GBEK, GAK, KEK. */
export interface TestMeter {
  readonly systemTitle: string;
  readonly serialNumber: string;
  readonly profile: string;
  readonly securitySuite: number;
  readonly keys: readonly Uint8Array[];
  /** The keys of security setups beside the first, in the same order. */
  readonly setups?: readonly { readonly setup: number; readonly keys: readonly Uint8Array[] }[];
}

export function testMeters(count: number, from = 1, profile = "idis-p2"): TestMeter[] {
  return [...manyMeters(count, from, profile)];
}

/** The same one after the other. */
export function* manyMeters(count: number, from = 1, profile = "idis-p2"): Generator<TestMeter> {
  for (let at = from; at < from + count; at += 1)
    yield {
      systemTitle: `545354${at.toString(16).toUpperCase().padStart(10, "0")}`,
      serialNumber: `${10_000 + at}`,
      profile,
      securitySuite: 0,
      keys: [0, 1, 2, 3].map(() => new Uint8Array(randomBytes(16))),
    };
}

/** What a test may want otherwise; each is applied before signing. */
export interface TestShipmentOptions {
  readonly shipment?: Uint8Array;
  readonly header?: Record<string, unknown>;
  /** Changes the octets of a line; line 0 is the header. */
  readonly line?: (text: string, line: number) => string;
  /** The master that the keys follow from: they are not in the file then. */
  readonly master?: string;
  readonly trailer?: Record<string, unknown>;
  readonly block?: (block: Buffer, line: number) => Buffer;
  readonly check?: (check: readonly string[], line: number) => readonly string[];
  /** Further recipients, before the one that reads. */
  readonly others?: readonly RecipientPublicKeys[];
}

/** The lines of a shipment, the trailer last, without their ends. */
export function writeShipment(
  manufacturer: TestManufacturer,
  recipient: RecipientPublicKeys,
  meters: readonly TestMeter[],
  options: TestShipmentOptions = {},
): string[] {
  return [...shipmentLines(manufacturer, recipient, meters, meters.length, options)];
}

/** The same one line after the other, for shipments of any length. */
export function* shipmentLines(
  manufacturer: TestManufacturer,
  recipient: RecipientPublicKeys,
  meters: Iterable<TestMeter>,
  count: number,
  options: TestShipmentOptions = {},
): Generator<string> {
  const shipment = options.shipment ?? randomBytes(16);
  const contentKey = randomBytes(32);
  const recipients = [...(options.others ?? []), recipient].map((one) => sealedTo(one, shipment, contentKey));
  const { keyId, flag, name } = manufacturer.trusted;
  const header = {
    type: "meterkeep-shipment",
    version: 2,
    shipment: Buffer.from(shipment).toString("hex"),
    manufacturer: { flag, name, keyId },
    customer: "Stadtwerke Test",
    kind: "delivery",
    created: "2026-11-21T00:00:00Z",
    count,
    master: options.master,
    seal: { alg: "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM", recipients },
    ...options.header,
  };
  const change = options.line ?? ((text: string) => text);
  // Leaves of the tree, joined as RFC 9162, 2.1.1 has it: a full half on the left.
  const tree: { size: number; hash: Buffer }[] = [];
  const leaf = (text: string): string => {
    let node = { size: 1, hash: sha256(Buffer.concat([Uint8Array.of(0), Buffer.from(text, "utf8")])) };
    for (let left = tree.at(-1); left?.size === node.size; left = tree.at(-1)) {
      tree.pop();
      node = { size: 2 * left.size, hash: sha256(Buffer.concat([Uint8Array.of(1), left.hash, node.hash])) };
    }
    tree.push(node);
    return text;
  };
  let n = 0;
  yield leaf(change(JSON.stringify(header), n));
  for (const meter of meters) {
    n += 1;
    yield leaf(change(record(meter, n, contentKey, options), n));
  }
  const root = tree
    .map(({ hash }) => hash)
    .reduceRight((right, left) => sha256(Buffer.concat([Uint8Array.of(1), left, right])));
  yield change(signed(manufacturer, root, count, options), n + 1);
}

/** The octets of a file. */
export function fileOf(lines: readonly string[]): Uint8Array {
  return Buffer.from(lines.map((line) => `${line}\n`).join(""), "utf8");
}

/** Signs lines that a test has put together. */
export function trailer(
  manufacturer: TestManufacturer,
  lines: readonly string[],
  count: number,
  options: TestShipmentOptions = {},
): string {
  return signed(manufacturer, merkle(lines.map((line) => Buffer.from(line, "utf8"))), count, options);
}

function sealedTo(recipient: RecipientPublicKeys, shipment: Uint8Array, contentKey: Buffer) {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const { sharedKey, ciphertext } = encapsulate(spki(recipient.mlkem));
  const z = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: spki(recipient.ecdh) });
  const label = Buffer.from("meterkeep-shipment-2");
  const info = Buffer.concat([label, sha256(epk), sha256(ciphertext)]);
  const sealing = Buffer.from(hkdfSync("sha384", Buffer.concat([z, sharedKey]), shipment, info, 32));
  const data = Buffer.concat([label, shipment, Buffer.from(recipient.keyId, "hex")]);
  return {
    keyId: recipient.keyId,
    epk: epk.toString("base64url"),
    kem: ciphertext.toString("base64url"),
    key: seal(sealing, Buffer.alloc(12), data, contentKey).toString("base64url"),
  };
}

function signed(manufacturer: TestManufacturer, hash: Buffer, count: number, options: TestShipmentOptions): string {
  const root = hash.toString("hex");
  const text = Buffer.from(`meterkeep-shipment-2:${root}`, "ascii");
  return JSON.stringify({
    type: "end",
    count,
    root,
    ecdsa: sign("sha384", text, { key: manufacturer.ecdsa, dsaEncoding: "ieee-p1363" }).toString("base64url"),
    mldsa: sign(null, text, manufacturer.mldsa).toString("base64url"),
    ...options.trailer,
  });
}

/** The file in which a manufacturer hands over a master. */
export function writeMaster(
  manufacturer: TestManufacturer,
  recipient: RecipientPublicKeys,
  id: string,
  master: Uint8Array,
  change: Record<string, unknown> = {},
): string {
  const { keyId, flag, name } = manufacturer.trusted;
  const [label, octets] = [Buffer.from("meterkeep-factory-master-1"), Buffer.from(id, "hex")];
  const contentKey = randomBytes(32);
  const line = {
    type: "meterkeep-factory-master",
    version: 1,
    master: id,
    manufacturer: { flag, name, keyId },
    customer: "Stadtwerke Test",
    created: "2026-11-21T00:00:00Z",
    check: createHmac("sha256", master).update("meterkeep-check-2").update(octets).digest("hex").slice(0, 16),
    seal: { alg: "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM", recipients: [sealedTo(recipient, octets, contentKey)] },
    sealed: seal(contentKey, Buffer.alloc(12), Buffer.concat([label, octets]), master).toString("base64url"),
  };
  const text = Buffer.from(`${label}:${sha256(Buffer.from(JSON.stringify(line))).toString("hex")}`, "ascii");
  return JSON.stringify({
    ...line,
    ecdsa: sign("sha384", text, { key: manufacturer.ecdsa, dsaEncoding: "ieee-p1363" }).toString("base64url"),
    mldsa: sign(null, text, manufacturer.mldsa).toString("base64url"),
    ...change,
  });
}

/** Seals the keys of one meter as a browser does. */
export function sealMeterKeys(
  recipient: RecipientPublicKeys,
  systemTitle: string,
  keys: Readonly<Record<number, Uint8Array>>,
  change: Record<string, unknown> = {},
): string {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const z = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: spki(recipient.ecdh) });
  const info = Buffer.concat([Buffer.from("meterkeep-meter-1"), sha256(epk)]);
  const contentKey = Buffer.from(hkdfSync("sha384", z, Buffer.alloc(0), info, 32));
  const nonce = randomBytes(12);
  const block = Buffer.concat(
    Object.entries(keys).map(([purpose, key]) => Buffer.concat([Uint8Array.of(Number(purpose), key.length), key])),
  );
  return JSON.stringify({
    alg: "ECDH-P384/HKDF-SHA384/A256GCM",
    recipient: recipient.keyId,
    epk: epk.toString("base64url"),
    nonce: nonce.toString("base64url"),
    sealed: seal(contentKey, nonce, Buffer.from(`meterkeep-meter-1:${systemTitle}`), block).toString("base64url"),
    ...change,
  });
}

function record(meter: TestMeter, n: number, contentKey: Buffer, options: TestShipmentOptions): string {
  const facts = {
    n,
    systemTitle: meter.systemTitle,
    logicalDeviceName: `TST${meter.serialNumber}`,
    serialNumber: meter.serialNumber,
    model: "T-100",
    hardwareRevision: "A",
    firmware: "1.0",
    profile: meter.profile,
    securitySuite: meter.securitySuite,
    check: options.check?.(checkValues(meter.systemTitle, meter.keys), n) ?? checkValues(meter.systemTitle, meter.keys),
  };
  const setups = meter.setups?.map(({ setup, keys }) => ({
    setup,
    check: checkValues(meter.systemTitle, keys, setup),
  }));
  const holders = ["Test Meters"];
  const data = createHash("sha384")
    .update(JSON.stringify({ ...facts, holders, setups }))
    .digest();
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(n, 8);
  const blockOf = (keys: readonly Uint8Array[]) =>
    Buffer.concat(keys.map((key, purpose) => Buffer.concat([Uint8Array.of(purpose, key.length), key])));
  const further = (meter.setups ?? []).flatMap(({ setup, keys }) => [Uint8Array.of(253, 1, setup), blockOf(keys)]);
  const plain = options.master === undefined ? Buffer.concat([blockOf(meter.keys), ...further]) : Buffer.alloc(0);
  const sealed = seal(contentKey, nonce, data, options.block?.(plain, n) ?? plain);
  return JSON.stringify({ ...facts, keys: sealed.toString("base64url"), holders, setups });
}

function checkValues(systemTitle: string, keys: readonly Uint8Array[], setup?: number): string[] {
  const title = Buffer.from(systemTitle, "hex");
  return keys.map((key, purpose) =>
    createHmac("sha256", key)
      .update(
        Buffer.concat([
          Buffer.from("meterkeep-check-2"),
          title,
          Buffer.from(setup === undefined ? [purpose] : [purpose, setup]),
        ]),
      )
      .digest("hex")
      .slice(0, 16),
  );
}

function seal(key: Uint8Array, nonce: Uint8Array, data: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(data);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** RFC 9162, 2.1.1, as its text has it. */
function merkle(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256(Buffer.alloc(0));
  if (leaves.length === 1) return sha256(Buffer.concat([Uint8Array.of(0), leaves[0] as Buffer]));
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Buffer.concat([Uint8Array.of(1), merkle(leaves.slice(0, split)), merkle(leaves.slice(split))]));
}

function spki(der: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
}

function sha256(octets: Uint8Array): Buffer {
  return createHash("sha256").update(octets).digest();
}

import { createHash } from "node:crypto";
import type { SecretKey } from "@meterkeep/dlms-node";
import { exactly, listOf, matching, object, text, whole } from "@meterkeep/guard";
import { base64url, readLine } from "./canonical-json.ts";
import { type BlockKey, COMPLETE_BLOCK, keyBytesOfSuite, readKeyBlock } from "./key-block.ts";
import type { TrustedManufacturer } from "./manufacturer.ts";
import { MerkleTree } from "./merkle.ts";
import { type Recipient, unsealBlock } from "./recipient.ts";
import { ShipmentRefusal } from "./refusal.ts";

/** What the header of a shipment says, checked. */
export interface ShipmentHeader {
  /** 32 hex digits. */
  readonly shipment: string;
  readonly manufacturer: TrustedManufacturer;
  readonly customer: string;
  readonly created: string;
  readonly count: number;
}

/** A meter of a shipment; the keys are the reader's caller's to dispose of. */
export interface ShippedMeter {
  readonly line: number;
  /** 16 upper-case hex digits. */
  readonly systemTitle: string;
  readonly logicalDeviceName: string;
  readonly serialNumber: string;
  readonly model: string;
  readonly hardwareRevision: string;
  readonly firmware: string;
  readonly profile: string;
  readonly securitySuite: number;
  readonly holders: readonly string[];
  readonly keys: readonly BlockKey[];
}

/** What a reader gives: the header, each meter, and at last the root that both signatures were found to be over. */
export type ShipmentItem =
  | { readonly kind: "header"; readonly header: ShipmentHeader }
  | { readonly kind: "meter"; readonly meter: ShippedMeter }
  | { readonly kind: "verified"; readonly root: string };

/** Whom a reader believes, and who it reads for. */
export interface ShipmentTrust {
  readonly manufacturers: readonly TrustedManufacturer[];
  readonly recipient: Recipient;
}

const MAX_METERS = 100_000_000;
const hex = (octets: number) => matching(new RegExp(`^[0-9a-f]{${octets * 2}}$`), `${octets} octets as lower-case hex`);
const rfc3339 = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, "a time in UTC (RFC 3339)");
const SEAL_ALGORITHM = "ECDH-P384+ML-KEM-768/HKDF-SHA384/A256GCM";

const HEADER = {
  type: exactly("meterkeep-shipment"),
  version: whole(1, 1_000_000),
  shipment: hex(16),
  manufacturer: object({ flag: matching(/^[A-Z]{3}$/, "a FLAG id"), name: text(128), keyId: hex(32) }),
  customer: text(128),
  recipient: object({ keyId: hex(32) }),
  created: rfc3339,
  count: whole(0, MAX_METERS),
  seal: object({ alg: exactly(SEAL_ALGORITHM), epk: base64url(256), kem: base64url(1088) }),
} as const;

const METER = {
  n: whole(1, MAX_METERS),
  systemTitle: matching(/^[0-9A-F]{16}$/, "16 upper-case hex digits"),
  logicalDeviceName: text(64),
  serialNumber: text(64),
  model: text(64),
  hardwareRevision: text(64),
  firmware: text(64),
  profile: matching(/^[a-z0-9][a-z0-9.-]{0,31}$/, "a companion profile id"),
  securitySuite: whole(0, 2),
  keys: base64url(512),
  holders: listOf(text(128), 16),
} as const;

const TRAILER = {
  type: exactly("end"),
  count: whole(0, MAX_METERS),
  root: hex(32),
  ecdsa: base64url(96),
  mldsa: base64url(3309),
} as const;

/**
 * Reads a shipment (docs/formats/shipment.md, version 1), a line at a time in flat memory.
 *
 * Meters are given out before the signatures at the end have been seen: nothing may be kept of them unless `verified`
 * has come. Whether a system title or a key is in custody already, or twice in the file, is the importer's to find.
 *
 * @throws ShipmentRefusal for the first thing that is wrong, with the line it is in.
 */
export async function* readShipment(
  lines: AsyncIterable<Uint8Array>,
  trust: ShipmentTrust,
): AsyncGenerator<ShipmentItem> {
  const tree = new MerkleTree();
  let header: { readonly header: ShipmentHeader; readonly contentKey: SecretKey } | undefined;
  let line = 0;
  let ended = false;
  try {
    for await (const octets of lines) {
      if (ended) throw new ShipmentRefusal("shipment-trailing-octets", line, "the file goes on after its trailer", {});
      if (header === undefined) {
        header = readHeader(octets, trust);
        yield { kind: "header", header: header.header };
      } else if (!isTrailer(octets)) {
        yield { kind: "meter", meter: readMeter(octets, line, header.header.count, header.contentKey) };
      } else {
        const root = readTrailer(octets, line, header.header, tree);
        ended = true;
        line += 1;
        yield { kind: "verified", root };
        continue;
      }
      tree.append(octets);
      line += 1;
    }
  } finally {
    header?.contentKey[Symbol.dispose]();
  }
  if (!ended) throw new ShipmentRefusal("shipment-truncated", line, "the file ends before its trailer");
}

function readHeader(
  octets: Uint8Array,
  { manufacturers, recipient }: ShipmentTrust,
): { readonly header: ShipmentHeader; readonly contentKey: SecretKey } {
  const { value } = readLine(octets, 0, HEADER);
  if (value.version !== 1)
    throw new ShipmentRefusal(
      "shipment-version-unknown",
      0,
      `version ${value.version} of the format is not known here`,
    );
  const manufacturer = manufacturers.find(({ keyId }) => keyId === value.manufacturer.keyId);
  if (manufacturer === undefined || manufacturer.flag !== value.manufacturer.flag)
    throw new ShipmentRefusal(
      "shipment-manufacturer-unknown",
      0,
      `no trusted manufacturer ${value.manufacturer.flag} has the key ${value.manufacturer.keyId}`,
    );
  if (value.recipient.keyId !== recipient.publicKeys.keyId)
    throw new ShipmentRefusal(
      "shipment-recipient-wrong",
      0,
      `the shipment is sealed to ${value.recipient.keyId}; this custodian is ${recipient.publicKeys.keyId}`,
    );
  const shipmentOctets = Buffer.from(value.shipment, "hex");
  const contentKey = recipient.shipmentContentKey(shipmentOctets, value.seal.epk, value.seal.kem);
  if (contentKey === undefined)
    throw new ShipmentRefusal("shipment-malformed", 0, "the header's seal does not open for this custodian");
  const { shipment, customer, created, count } = value;
  return { header: { shipment, manufacturer, customer, created, count }, contentKey };
}

function readMeter(octets: Uint8Array, line: number, count: number, contentKey: SecretKey): ShippedMeter {
  const { value, raw } = readLine(octets, line, METER);
  const { n, systemTitle, keys: sealed, ...facts } = value;
  const refuse = (code: ConstructorParameters<typeof ShipmentRefusal>[0], why: string) =>
    new ShipmentRefusal(code, line, `line ${line}, meter ${systemTitle}: ${why}`, { systemTitle });
  if (n !== line) throw refuse("shipment-line-out-of-order", `the record says it is line ${n}`);
  if (line > count) throw refuse("shipment-count-wrong", `the header says ${count} meters, and this is one more`);
  const { keys: _sealed, ...bare } = raw;
  const data = createHash("sha384").update(JSON.stringify(bare)).digest();
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(n, 8);
  const block = unsealBlock(contentKey, nonce, data, sealed);
  if (block === undefined)
    throw refuse("meter-keys-not-authentic", "its keys do not unseal: the record was moved or changed");
  const keys = readKeyBlock(block, keyBytesOfSuite(value.securitySuite));
  if (typeof keys === "string") throw refuse("meter-keys-incomplete", keys);
  if (!COMPLETE_BLOCK.every((purpose, at) => keys[at]?.purpose === purpose)) {
    for (const { key } of keys) key[Symbol.dispose]();
    const there = keys.filter(({ client }) => client === undefined).length;
    throw refuse("meter-keys-incomplete", `its key block has ${there} keys of ${COMPLETE_BLOCK.length}`);
  }
  return { line, systemTitle, ...facts, keys };
}

function isTrailer(octets: Uint8Array): boolean {
  return (
    Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, 12)).toString("latin1") === '{"type":"end'
  );
}

function readTrailer(octets: Uint8Array, line: number, header: ShipmentHeader, tree: MerkleTree): string {
  const { value } = readLine(octets, line, TRAILER);
  if (value.count !== header.count || line !== header.count + 1)
    throw new ShipmentRefusal(
      "shipment-count-wrong",
      line,
      `the header says ${header.count} meters, the trailer ${value.count}, and there are ${line - 1}`,
    );
  const root = Buffer.from(tree.root()).toString("hex");
  if (root !== value.root)
    throw new ShipmentRefusal("shipment-root-wrong", line, "the Merkle root is not that of these lines");
  const verified = header.manufacturer.verifies(`meterkeep-shipment-1:${root}`, value.ecdsa, value.mldsa);
  const wrong = [verified.ecdsa ? [] : ["ECDSA P-384"], verified.mldsa ? [] : ["ML-DSA-65"]].flat();
  if (wrong.length > 0)
    throw new ShipmentRefusal(
      "shipment-signature-wrong",
      line,
      `the ${wrong.join(" and the ")} signature does not verify`,
    );
  return root;
}

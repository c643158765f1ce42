import { createHash, createHmac } from "node:crypto";
import type { SecretKey } from "@meterkeep/dlms-node";
import { exactly, listOf, matching, object, oneOf, optional, text, whole } from "@meterkeep/guard";
import { base64url, readLine } from "./canonical-json.ts";
import {
  type BlockKey,
  COMPLETE_BLOCK,
  COUNTER_ENTRY,
  keyBytesOfSuite,
  MOST_FURTHER_SETUPS,
  readKeyBlock,
} from "./key-block.ts";
import type { TrustedManufacturer } from "./manufacturer.ts";
import { MerkleTree } from "./merkle.ts";
import { type Recipient, unsealBlock } from "./recipient.ts";
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

/** What the header of a shipment says, checked. */
export interface ShipmentHeader {
  /** 32 hex digits. */
  readonly shipment: string;
  readonly manufacturer: TrustedManufacturer;
  readonly customer: string;
  readonly kind: ShipmentKind;
  readonly created: string;
  readonly count: number;
  /** The manufacturer's master that the keys of the setup follow from, which are in the file then as check values alone. */
  readonly master: string | undefined;
}

/**
 * What a shipment brings: new meters; a fleet that is in service elsewhere, of which less may be known; meters that change
 * their owner.
 */
export const SHIPMENT_KINDS = ["delivery", "fleet", "transfer"] as const;
export type ShipmentKind = (typeof SHIPMENT_KINDS)[number];

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
  /** SHA-256 of the trust anchors it was made with, where its line says any. */
  readonly anchors: readonly string[] | undefined;
  readonly keys: readonly BlockKey[];
  /** A check value of each key of the first security setup: those in `keys` have been held against them. */
  readonly check: readonly string[];
  /** The security setups beside the first, rising, with check values of theirs. */
  readonly setups: readonly FurtherSetup[];
  /** The highest counter that was used before, in any of its security setups; 0 for a new meter. */
  readonly counter: number;
}

/** A security setup beside the first, as a line names it: the `e` of 0-0:43.0.e.255, and a check value of each of its keys. */
export interface FurtherSetup {
  readonly setup: number;
  readonly check: readonly string[];
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

const VERSION = 2;
const MAX_METERS = 100_000_000;
const MAX_ANCHORS = 4;
/** Of the first security setup, of clients and of devices, and of each further one. */
const MOST_BLOCK_BYTES = 512 + MOST_FURTHER_SETUPS * 160;

const HEADER = {
  type: exactly("meterkeep-shipment"),
  version: whole(1, 1_000_000),
  shipment: hex(16),
  manufacturer: manufacturerField,
  customer: text(128),
  kind: oneOf(SHIPMENT_KINDS),
  created: rfc3339,
  count: whole(0, MAX_METERS),
  master: optional(hex(16)),
  seal: sealField,
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
  check: listOf(hex(8), COMPLETE_BLOCK.length),
  keys: base64url(MOST_BLOCK_BYTES),
  holders: listOf(text(128), 16),
  anchors: optional(listOf(hex(32), MAX_ANCHORS)),
  setups: optional(
    listOf(
      object({ setup: whole(1, MOST_FURTHER_SETUPS), check: listOf(hex(8), COMPLETE_BLOCK.length) }),
      MOST_FURTHER_SETUPS,
    ),
  ),
} as const;

const TRAILER = {
  type: exactly("end"),
  count: whole(0, MAX_METERS),
  root: hex(32),
  ecdsa: base64url(96),
  mldsa: base64url(3309),
} as const;

/**
 * Reads a shipment (docs/formats/shipment.md, version 2), a line at a time in flat memory.
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
        header = await readHeader(octets, trust);
        yield { kind: "header", header: header.header };
      } else if (!isTrailer(octets)) {
        yield { kind: "meter", meter: readMeter(octets, line, header.header, header.contentKey) };
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

async function readHeader(
  octets: Uint8Array,
  { manufacturers, recipient }: ShipmentTrust,
): Promise<{ readonly header: ShipmentHeader; readonly contentKey: SecretKey }> {
  requireVersion(octets);
  const { value } = readLine(octets, 0, HEADER);
  const manufacturer = trustedSigner(manufacturers, value.manufacturer);
  const { shipment, customer, kind, created, count, master } = value;
  if (master !== undefined && kind !== "delivery")
    throw new ShipmentRefusal("shipment-malformed", 0, `the keys of a ${kind} follow from no master`);
  const contentKey = await contentKeyFor(recipient, shipment, value.seal.recipients);
  return { header: { shipment, manufacturer, customer, kind, created, count, master }, contentKey };
}

/** Another version may have other fields: it is named before they are looked at. */
function requireVersion(octets: Uint8Array): void {
  const start = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, 64)).toString("latin1");
  const version = /^\{"type":"meterkeep-shipment","version":(\d{1,9})[,}]/.exec(start)?.[1];
  if (version !== undefined && Number(version) !== VERSION)
    throw new ShipmentRefusal("shipment-version-unknown", 0, `version ${version} of the format is not known here`);
}

function readMeter(
  octets: Uint8Array,
  line: number,
  { count, kind, master }: ShipmentHeader,
  contentKey: SecretKey,
): ShippedMeter {
  const { value, raw } = readLine(octets, line, METER);
  const { n, systemTitle, keys: sealed, check, anchors, setups = [], ...facts } = value;
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
  const [secrets, counter] = withoutCounter(keys);
  const isDerived = master !== undefined;
  const wrong =
    objectionTo(secrets, counter, isDerived ? "derived" : kind) ??
    objectionToSetups(secrets, setups, isDerived) ??
    (isDerived || hasCheckValues(secrets, systemTitle, check, setups)
      ? undefined
      : (["meter-check-value-wrong", "a check value is not that of its key"] as const));
  if (wrong === undefined)
    return { line, systemTitle, ...facts, anchors, keys: secrets, check, setups, counter: counter ?? 0 };
  for (const { key } of secrets) key[Symbol.dispose]();
  const [code, why] = wrong;
  throw refuse(code, why);
}

function withoutCounter(keys: readonly BlockKey[]): readonly [readonly BlockKey[], number | undefined] {
  const told = keys.find(({ purpose }) => purpose === COUNTER_ENTRY);
  if (told === undefined) return [keys, undefined];
  using entry = told.key;
  return [keys.filter((key) => key !== told), entry.lend((octets) => Buffer.from(octets).readUInt32BE(0))];
}

/** Of a fleet in service the unicast key is enough, if nothing more is known; where keys are derived none is brought; others bring all four. */
function objectionTo(
  keys: readonly BlockKey[],
  counter: number | undefined,
  kind: ShipmentKind | "derived",
): Objection | undefined {
  if (counter !== undefined && (kind === "delivery" || kind === "derived"))
    return ["meter-keys-incomplete", "a new meter has used no counter"];
  const purposes = keysOfSetup(keys).map(({ purpose }) => purpose);
  const wanted = kind === "derived" ? 0 : COMPLETE_BLOCK.length;
  const isWhole = kind === "fleet" ? purposes[0] === 0 : purposes.length === wanted;
  return isWhole ? undefined : ["meter-keys-incomplete", `its key block has ${purposes.length} keys of ${wanted}`];
}

/** A further setup brings all four keys, in whatever shipment: with fewer nobody could take it over, nor tell it from a mistake. */
function objectionToSetups(
  keys: readonly BlockKey[],
  setups: readonly FurtherSetup[],
  isDerived: boolean,
): Objection | undefined {
  const named = setups.map(({ setup }) => setup);
  const unsorted = named.find((setup, at) => at > 0 && setup <= (named[at - 1] as number));
  if (unsorted !== undefined) return ["meter-keys-incomplete", `security setup ${unsorted} is not named in its order`];
  const found = [...new Set(keys.flatMap(({ setup }) => setup ?? []))];
  const stray = found.find((setup) => isDerived || !named.includes(setup));
  if (stray !== undefined)
    return ["meter-keys-incomplete", `its key block has keys of security setup ${stray}, which its line does not name`];
  const wanted = isDerived ? 0 : COMPLETE_BLOCK.length;
  const short = named.find((setup) => keysOfSetup(keys, setup).length !== wanted);
  return short === undefined
    ? undefined
    : ["meter-keys-incomplete", `its key block has not the ${wanted} keys of security setup ${short}`];
}

type Objection = readonly ["meter-keys-incomplete", string];

/** The keys of one security setup, the first unless another is said: the secrets of clients and the keys of devices are of none. */
function keysOfSetup(keys: readonly BlockKey[], wanted?: number): readonly BlockKey[] {
  return keys.filter(({ client, setup }) => client === undefined && setup === wanted);
}

/** Whether each key of each security setup comes to the check value that the line has of it. */
export function hasCheckValues(
  keys: readonly BlockKey[],
  systemTitle: string,
  check: readonly string[],
  setups: readonly FurtherSetup[],
): boolean {
  return [{ setup: undefined, check }, ...setups].every(
    (one) => checkValuesOf(keysOfSetup(keys, one.setup), systemTitle).join() === one.check.join(),
  );
}

const CHECK_BYTES = 8;

/** A check value of each key: who has the key can tell it again, an auditor only that it is another, or of another setup. */
function checkValuesOf(keys: readonly BlockKey[], systemTitle: string): string[] {
  const title = Buffer.from(systemTitle, "hex");
  return keys.map(({ purpose, setup, key }) =>
    key.lend((octets) =>
      createHmac("sha256", octets)
        .update("meterkeep-check-2")
        .update(title)
        .update(setup === undefined ? Uint8Array.of(purpose) : Uint8Array.of(purpose, setup))
        .digest()
        .subarray(0, CHECK_BYTES)
        .toString("hex"),
    ),
  );
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
  requireSigned(header.manufacturer, `meterkeep-shipment-2:${root}`, value, line);
  return root;
}

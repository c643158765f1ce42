import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { encodeHdlc, encodeWrapper, fromHex, UNNUMBERED_INFORMATION } from "@meterkeep/dlms";

/** Octets to start from: whole APDUs, and frames of links with APDUs in them. */
export interface Seeds {
  readonly apdus: readonly Uint8Array[];
  readonly frames: readonly Uint8Array[];
  /** Data, as responses carry it. */
  readonly values: readonly Uint8Array[];
  /** Where they are from. */
  readonly source: string;
}

const MOST_OF_A_KIND = 4000;
const LONGEST_SEED_BYTES = 2048;

/** One of each service; enough to start from where no recordings are. */
const EXAMPLES = [
  "601da109060760857405080101be10040e01000000065f1f0400401e5dffff",
  "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007",
  "6203800100",
  "01011000112233445566778899aabbccddeeff0000065f1f0400007e1f04b0",
  "c001c100080000010000ff0200",
  "c001c100070100630100ff0201010204020412000809060000010000ff0f021200000906000000000000090600000000000001 00",
  "c003c10200080000010000ff0200000301 00010800ff0200",
  "c401c1000204120008060000007b020309010a1103",
  "c402c101000000010002aabb",
  "c403c10200000104",
  "c101c100080000010000ff0200090c07ea0b15060a1e0000ffc400",
  "c102c100140000 0d0000ff060000000000010 2aabb",
  "c301c100460000600300ff01010f00",
  "c703c102000003010000",
  "d8020600001389",
  "d90000000100020100030100010800ff02020008 0000010000ff03020010003c",
  "0f4000002a0c07ea0b15060a1e0000ffc40002020906010001 0800ff0600000001",
  "c2010c07ea0b15060a1e0000ffc4000001000060010 0ff02110a",
  "0502020100020108",
  "0c02000901aa0104",
  "e08300010000 0dc001c100080000010000ff0200",
  "c806300123456741",
  "dd080102030405060708084d4d4d0000bc614e084d4b4d00000000010000010000143000000001112233445566778899aabbccddeeff",
  "dd080102030405060708084d4d4d0000bc614e084d4b4d0000000001000001010018aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa143000000001112233445566778899aabbccddeeff",
  "dd080102030405060708084d4d4d0000bc614e084d4b4d000000000100000102010208bbbbbbbbbbbbbbbb143000000001112233445566778899aabbccddeeff",
  "dd080102030405060708084d4d4d0000bc614e084d4b4d0000000001000000143000000001112233445566778899aabbccddeeff",
  "db084d4d4d0000bc614e0621012345670a",
  "13020206120f0a000000010002000000020003",
].map((hex) => fromHex(hex.replaceAll(" ", "")));

/** The seeds of the recordings and captures beside the repository, and the examples with them. */
export function findSeeds(): Seeds {
  const shared = process.env["METERKEEP_SHARED"] ?? fileURLToPath(new URL("../../../shared", import.meta.url));
  const apdus = new Map(EXAMPLES.map((octets) => [String(octets), octets]));
  const frames = new Map<string, Uint8Array>();
  for (const octets of EXAMPLES) {
    const wrapped = encodeWrapper(1, 16, octets);
    frames.set(String(wrapped), wrapped);
    const hdlc = encodeHdlc({
      destination: fromHex("21"),
      source: fromHex("03"),
      control: UNNUMBERED_INFORMATION,
      information: octets,
    });
    frames.set(String(hdlc), hdlc);
  }
  if (!existsSync(shared)) return seedsOf(apdus, frames, "own examples");
  for (const file of globSync([`${shared}/traces/*.json`, `${shared}/captures/*.json`]).sort())
    for (const { key, hex } of hexIn(JSON.parse(readFileSync(file, "utf8")), "")) {
      const into = FRAME_KEYS.has(key) ? frames : APDU_KEYS.has(key) ? apdus : undefined;
      if (into === undefined || into.size >= MOST_OF_A_KIND || hex.length > 2 * LONGEST_SEED_BYTES) continue;
      into.set(hex, fromHex(hex));
    }
  return seedsOf(apdus, frames, "captures, recorded exchanges and examples");
}

function seedsOf(
  apdus: ReadonlyMap<string, Uint8Array>,
  frames: ReadonlyMap<string, Uint8Array>,
  source: string,
): Seeds {
  const all = [...apdus.values()];
  return { apdus: all, frames: [...frames.values()], values: all.flatMap(valueIn), source };
}

/** The value of a get-response, from its first block where it comes in several. */
function valueIn(apdu: Uint8Array): Uint8Array[] {
  if (apdu[0] === 0x13) return [apdu];
  if (apdu[0] !== 0xc4) return [];
  if (apdu[1] === 1 && apdu[3] === 0) return [apdu.subarray(4)];
  return apdu[1] === 2 && apdu[8] === 0 ? [apdu.subarray(apdu[9] === 0x82 ? 12 : apdu[9] === 0x81 ? 11 : 10)] : [];
}

const FRAME_KEYS: ReadonlySet<string> = new Set(["frames", "hex", "frame"]);
const APDU_KEYS: ReadonlySet<string> = new Set(["apdu", "plain", "plaintextApdu", "cipheredApdu"]);

/** Every text of hex digits in a file, with the name of the field that it is in. */
function* hexIn(value: unknown, key: string): Generator<{ readonly key: string; readonly hex: string }> {
  if (typeof value === "string") {
    const hex = value.replaceAll(" ", "");
    if (hex.length >= 4 && hex.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(hex)) yield { key, hex };
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) yield* hexIn(part, Array.isArray(value) ? key : name);
}

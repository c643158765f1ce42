import {
  concatBytes,
  DlmsError,
  fromHex,
  openGeneralCiphering,
  parseGbcsMessage,
  parseGeneralCiphering,
  parseGeneralSigning,
  STANDARD_SECURITY,
  verifySignedApdu,
} from "@meterkeep/dlms";
import { nodeCurves, nodePlatform } from "@meterkeep/dlms-node";

// How long hostile octets keep us, by their length: each kind in three sizes. What costs grows with the octets to be
// hashed or deciphered, and with nothing else.

const SIZES = [1_000, 30_000, 1_000_000] as const;
const ROUNDS = 7;

const pair = nodeCurves.generate("P-256");
const keys = {
  encryption: nodePlatform.importKey(nodePlatform.random(16)),
  authentication: nodePlatform.random(16),
  signing: pair.privateKey,
  agreement: pair.privateKey,
  otherSigning: pair.publicKey,
  otherAgreement: pair.publicKey,
};
const setup = { platform: nodePlatform, suite: 1, profile: STANDARD_SECURITY, keys } as const;
const header = fromHex("080102030405060708084d4b4d0000000001000000");

const KINDS: Readonly<Record<string, { octets(size: number): Uint8Array; open(octets: Uint8Array): unknown }>> = {
  "general-ciphering, forged tag": {
    octets: (size) => concatBytes(fromHex("dd"), header, fromHex("00"), sized(size, fromHex("3100000001"))),
    open: (octets) => openGeneralCiphering(setup, parseGeneralCiphering(octets)),
  },
  "general-signing, forged signature": {
    octets: (size) => concatBytes(fromHex("df"), header, sized(size), sized(64)),
    open: (octets) => verifySignedApdu({ ...setup, curves: nodeCurves }, pair.publicKey, parseGeneralSigning(octets)),
  },
  "GBCS message, nonsense inside": {
    octets: (size) => concatBytes(fromHex("dd000000000000"), sized(size, fromHex("1100000000df"))),
    open: parseGbcsMessage,
  },
};

/** Prints a line a kind. */
export function benchRefusal(): void {
  for (const [name, { octets, open }] of Object.entries(KINDS)) {
    const figures = SIZES.map((size) => {
      const hostile = octets(size);
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS; round += 1)
        best = Math.min(
          best,
          refusalNanoseconds(() => open(hostile)),
        );
      return `${size.toLocaleString("en")} octets ${(best / 1000).toFixed(0)} us (${(best / size).toFixed(2)} ns each)`;
    });
    console.log(`refused, ${name}: ${figures.join(", ")}`);
  }
}

function refusalNanoseconds(open: () => unknown): number {
  const started = process.hrtime.bigint();
  try {
    open();
  } catch (error) {
    if (error instanceof DlmsError) return Number(process.hrtime.bigint() - started);
    throw error;
  }
  throw new Error("taken, not refused");
}

/** Octets with their length, which is written in five. */
function sized(size: number, start: Uint8Array = new Uint8Array(0)): Uint8Array {
  const length = Uint8Array.of(0x84, size >>> 24, size >>> 16, size >>> 8, size);
  return concatBytes(length, start, new Uint8Array(size - start.length));
}

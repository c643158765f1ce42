import { equalBytes, fromHex, weaknessOf } from "@meterkeep/dlms";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

/** Keys that are found in books, libraries and meters; few, for meters that lock. */
const TRIED = [
  ["of the Green Book's examples", "000102030405060708090A0B0C0D0E0F", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"],
  ["of the Green Book's example, twice", "000102030405060708090A0B0C0D0E0F", "000102030405060708090A0B0C0D0E0F"],
  ["of zeros", "00000000000000000000000000000000", "00000000000000000000000000000000"],
  ["00112233…", "00112233445566778899AABBCCDDEEFF", "00112233445566778899AABBCCDDEEFF"],
] as const;

/** Keys that protect nothing. */
export const weakKeys: Check = {
  id: "weak-keys",
  title: "The keys are the meter's own: not weak, and not published",
  severity: "critical",
  why: "A key that stands in a book, or that every meter of a delivery has, is nobody's secret.",
  how: "The keys given are looked at, and well-known ones are tried on the meter.",
  clause: "NIST SP 800-133 (keys from a random source); one key a meter and purpose",
  async run(bench) {
    const { keys } = bench.access;
    if (keys !== undefined) {
      const { encryptionKey, authenticationKey } = keys;
      for (const [name, key] of [
        ["encryption", encryptionKey],
        ["authentication", authenticationKey],
      ] as const) {
        const weakness = weaknessOf(key);
        if (weakness !== undefined) return fail(`The ${name} key ${weakness}.`);
      }
      if (equalBytes(encryptionKey, authenticationKey)) return fail("Encryption and authentication key are the same.");
    }
    for (const [name, encryption, authentication] of TRIED) {
      const config = bench.configured({
        encryptionKey: fromHex(encryption),
        authenticationKey: fromHex(authentication),
      });
      const outcome = await bench.attempt(config, `AARQ under the keys ${name}`);
      if (outcome.kind === "established") return fail(`The meter associates under the keys ${name}.`);
    }
    const refused = `${TRIED.length} well-known pairs were refused`;
    if (keys === undefined) throw new NotTestable(`No keys were given to look at; ${refused}.`);
    return pass(`Nothing is known against the keys given, and ${refused}.`);
  },
};

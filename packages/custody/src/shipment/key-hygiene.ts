import type { SecretKey } from "@meterkeep/dlms-node";

/** Why a key is weaker than it looks, in a sentence that does not tell the key; `undefined` when nothing is known. */
export function weakness(key: SecretKey): string | undefined {
  return key.lend((bytes) => CHECKS.find(({ test }) => test(bytes))?.sentence);
}

const CHECKS: readonly { readonly sentence: string; readonly test: (bytes: Uint8Array) => boolean }[] = [
  { sentence: "is one octet over and over, the first thing anybody tries", test: (b) => b.every((o) => o === b[0]) },
  {
    sentence: "counts up octet by octet, like the examples printed in books (00 01 02…, C0 C1 C2…, D0 D1 D2…)",
    test: (b) => b.every((octet, at) => octet === (((b[0] as number) + at) & 0xff)),
  },
  {
    sentence: "counts down octet by octet",
    test: (b) => b.every((octet, at) => octet === (((b[0] as number) - at) & 0xff)),
  },
  {
    sentence: "is printable ASCII: somebody typed it, so it can be guessed",
    test: (b) => b.every((o) => o >= 0x20 && o <= 0x7e),
  },
  {
    sentence: "is a short pattern repeated",
    test: (b) => [2, 4, 8].some((length) => b.every((octet, at) => octet === b[at % length])),
  },
];

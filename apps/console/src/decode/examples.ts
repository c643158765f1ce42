/** Telegrams of ours to begin with: the files of `examples/`, so that page and command line show the same. */
import authenticated from "../../../../examples/authenticated.hex?raw";
import damaged from "../../../../examples/damaged.hex?raw";
import forged from "../../../../examples/forged.hex?raw";
import published from "../../../../examples/keys.json" with { type: "json" };
import p1 from "../../../../examples/p1.txt?raw";
import tagless from "../../../../examples/tagless.hex?raw";

export interface Example {
  readonly name: string;
  readonly says: string;
  readonly octets: string;
  readonly encryptionKey: string;
  readonly authenticationKey: string;
}

const [keys] = Object.values(published.meters);
const encryptionKey = keys?.key ?? "";
const authenticationKey = keys?.authKey ?? "";

export const EXAMPLES: readonly [Example, ...Example[]] = [
  {
    name: "A telegram that proves something",
    says: "Encrypted, with a tag that only a holder of both keys can make.",
    octets: authenticated.trim(),
    encryptionKey,
    authenticationKey,
  },
  {
    name: "A telegram that proves nothing",
    says: "Encrypted, without a tag, as most meters in the field send it.",
    octets: tagless.trim(),
    encryptionKey,
    authenticationKey: "",
  },
  {
    name: "Its forgery",
    says: "Made of the one above without any key. It decodes; only its clocks give it away.",
    octets: forged.trim(),
    encryptionKey,
    authenticationKey: "",
  },
  {
    name: "Both, one after the other",
    says: "Whoever has seen the genuine one refuses the forgery: they share a counter.",
    octets: `${tagless.trim()}\n${forged.trim()}`,
    encryptionKey,
    authenticationKey: "",
  },
  {
    name: "A P1 telegram",
    says: "Text with a checksum, as a meter's customer port prints it.",
    octets: p1.trim(),
    encryptionKey: "",
    authenticationKey: "",
  },
  {
    name: "A damaged one",
    says: "One bit is wrong. It is refused, and the checksum that fails is named.",
    octets: damaged.trim(),
    encryptionKey: "",
    authenticationKey: "",
  },
];

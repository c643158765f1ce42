/** Letters of other scripts that look like Latin ones, lower case: a name must not be two because one letter of it is Cyrillic. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  ...{ а: "a", в: "b", е: "e", һ: "h", н: "h", і: "i", ј: "j", к: "k", м: "m", о: "o", р: "p", с: "c", ѕ: "s", т: "t" },
  ...{ у: "y", х: "x", α: "a", β: "b", ε: "e", η: "h", ι: "i", κ: "k", μ: "m", ν: "v", ο: "o", ρ: "p", τ: "t", υ: "y" },
  ...{ χ: "x", ζ: "z" },
};

/**
 * A name as people see it: two that look the same are the same person, whatever letters, spaces or invisible characters they
 * were written with. Whoever asks under one of them does not approve under the other, and nobody counts twice.
 */
export function seenName(name: string): string {
  const plain = name
    .normalize("NFKC")
    .replaceAll(/[\p{Cf}\p{Cc}\p{Co}\p{Cn}\u{115f}\u{1160}\u{3164}]/gu, "")
    .replaceAll(/[\p{Z}\s]+/gu, " ")
    .trim()
    .toLowerCase();
  return [...plain].map((letter) => LOOKALIKES[letter] ?? letter).join("");
}

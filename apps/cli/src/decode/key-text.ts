import { CliError } from "../error.ts";

const KEY_BYTES = [16, 32];

/**
 * Reads an AES key as hex; spaces, colons, hyphens and a leading `0x` are allowed.
 *
 * @throws CliError `key-not-hex`; the message says what is wrong and never shows the key.
 */
export function readKey(text: string, name: string): Uint8Array {
  const digits = text
    .trim()
    .replace(/^0x/i, "")
    .replace(/[\s:-]/g, "");
  if (!/^[0-9A-Fa-f]*$/.test(digits)) throw new CliError("key-not-hex", `${name} is not hex`);
  if (!KEY_BYTES.includes(digits.length / 2))
    throw new CliError("key-not-hex", `${name} has ${digits.length} hex digits; a key has 32, or 64 with suite 2`);
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

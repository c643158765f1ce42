import { CliError, EXIT } from "../error.ts";

const SEPARATORS = new Set([..." \t\r\n\f:,;_-|\"'[](){}"].map((character) => character.charCodeAt(0)));
const NEW_LINE = 0x0a;
const ZERO = 0x30;

/**
 * Reads hex as people keep it: upper or lower case, with spaces, colons, commas, line ends, `0x` or `\x` before the
 * octets, and comments from `#` to the end of the line. Text may come in chunks.
 */
export class HexText {
  #pending: number | undefined;
  #line = 1;
  #column = 0;
  #inComment = false;
  #afterBackslash = false;
  readonly #name: string;

  /** @param name what is read, for messages: a file, or `standard input`. */
  constructor(name: string) {
    this.#name = name;
  }

  /** The octets that a chunk of text completes. @throws CliError `input-not-hex` with line and column. */
  push(text: Uint8Array): Uint8Array {
    const octets = new Uint8Array(Math.ceil(text.length / 2) + 1);
    let count = 0;
    for (const character of text) {
      this.#column += 1;
      if (character === NEW_LINE) {
        this.#line += 1;
        this.#column = 0;
        this.#inComment = false;
      }
      if (this.#inComment || SEPARATORS.has(character)) continue;
      if (character === 0x23) this.#inComment = true;
      else if (character === 0x5c && this.#pending === undefined) this.#afterBackslash = true;
      else if (character === 0x78 || character === 0x58) this.#dropPrefix();
      else {
        const digit = digitOf(character);
        if (digit === undefined) throw this.#notHex(`"${String.fromCharCode(character)}" is no hex digit`);
        this.#afterBackslash = false;
        if (this.#pending === undefined) this.#pending = digit;
        else {
          octets[count] = (this.#pending << 4) | digit;
          count += 1;
          this.#pending = undefined;
        }
      }
    }
    return octets.subarray(0, count);
  }

  /** Ends the text. @throws CliError `input-not-hex` when half an octet is left. */
  end(): void {
    if (this.#pending !== undefined) throw this.#notHex("the number of hex digits is odd");
  }

  /** `0x` and `\x` announce an octet. */
  #dropPrefix(): void {
    if (this.#pending !== 0 && !this.#afterBackslash) throw this.#notHex('"x" is no hex digit');
    this.#pending = undefined;
    this.#afterBackslash = false;
  }

  #notHex(what: string): CliError {
    const place = `line ${this.#line}, column ${this.#column}`;
    const message = `${this.#name} begins like hex, but at ${place} ${what}`;
    return new CliError("input-not-hex", message, { exitStatus: EXIT.refused });
  }
}

/** Whether text begins like hex: only hex digits, separators, prefixes and comments. Binary telegrams do not. */
export function looksLikeHex(text: Uint8Array): boolean {
  let digits = 0;
  let inComment = false;
  for (const [at, character] of text.entries()) {
    if (inComment) inComment = character !== NEW_LINE;
    else if (character === 0x23) inComment = true;
    else if (digitOf(character) !== undefined) digits += 1;
    else if (character === 0x78 || character === 0x58) {
      if (text[at - 1] !== ZERO && text[at - 1] !== 0x5c) return false;
    } else if (character !== 0x5c && !SEPARATORS.has(character)) return false;
  }
  return digits > 0;
}

/** Octets of a text that is hex as a whole. @throws CliError as {@link HexText}. */
export function hexOctets(text: string, name: string): Uint8Array {
  const reader = new HexText(name);
  const octets = reader.push(new TextEncoder().encode(text));
  reader.end();
  return octets;
}

function digitOf(character: number): number | undefined {
  if (character >= ZERO && character <= 0x39) return character - ZERO;
  const letter = character & 0xdf;
  return letter >= 0x41 && letter <= 0x46 ? letter - 0x37 : undefined;
}

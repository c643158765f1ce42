import { toHex } from "./bytes.ts";
import type { Codec } from "./codec/codec.ts";
import { brand } from "./codec/mapped.ts";
import { fixedBytes } from "./codec/scalars.ts";
import { DlmsError } from "./errors.ts";

declare const systemTitleBrand: unique symbol;

/** The unique 8-octet name of a DLMS entity; its first three octets are the manufacturer's FLAG id in ASCII. */
export type SystemTitle = Uint8Array & { readonly [systemTitleBrand]: true };

/** Checks and brands 8 octets. @throws DlmsError `wrong-length`. */
export function systemTitle(bytes: Uint8Array): SystemTitle {
  if (bytes.length !== 8) throw new DlmsError("wrong-length", `a system title has 8 octets, not ${bytes.length}`);
  return bytes as SystemTitle;
}

/** The manufacturer's three-letter FLAG id, or undefined where the octets are no letters. */
export function manufacturerOf(title: SystemTitle): string | undefined {
  const letters = String.fromCharCode(...title.subarray(0, 3));
  return /^[A-Za-z]{3}$/.test(letters) ? letters.toUpperCase() : undefined;
}

/** A system title as 16 upper-case hex digits, the form in which it stands in certificate subjects. */
export function systemTitleText(title: SystemTitle): string {
  return toHex(title).toUpperCase();
}

/** 8 octets without a length. */
export const systemTitleCodec: Codec<SystemTitle> = brand("system title", fixedBytes(8), systemTitle);

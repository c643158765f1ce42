import type { Codec } from "../codec/codec.ts";
import { map } from "../codec/mapped.ts";
import { d } from "../data/d.ts";
import { logicalNameOctets, logicalNameText } from "./logical-name.ts";

/** A logical name as Data: octet-string of six octets, text in values. */
export const logicalNameData: Codec<string> = map("logical name", d.octetString, {
  decode: logicalNameText,
  encode: logicalNameOctets,
});

import { type Data, data, decode, instantOf, toHex } from "@meterkeep/dlms";
import { foreignText } from "../reading/foreign-text.ts";

/** A value as plain JSON: octets as hex, times in RFC 3339, numbers too long for JSON as text; in texts what disturbs is a `?`. */
export function plainOf(value: Data): unknown {
  switch (value.type) {
    case "null-data":
    case "dont-care":
      return null;
    case "array":
    case "structure":
      return value.value.map(plainOf);
    case "octet-string":
      return toHex(value.value);
    case "visible-string":
    case "utf8-string":
      return foreignText(value.value);
    case "date-time": {
      const at = instantOf(value.value);
      return at === undefined ? value.value : new Date(at).toISOString();
    }
    default:
      return typeof value.value === "bigint" ? value.value.toString() : value.value;
  }
}

const MOST_CHARACTERS = 200;

/** Encoded Data in a line for people. */
export function shown(octets: Uint8Array): string {
  const text = JSON.stringify(plainOf(decode(data, octets, { trailing: "ignore" })));
  return text.length > MOST_CHARACTERS ? `${foreignText(text.slice(0, MOST_CHARACTERS))}...` : text;
}

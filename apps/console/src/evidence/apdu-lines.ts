/** A plain APDU as a tree of names and values, decoded in this browser: evidence is checked by the reader, not only by the server that stored it. */
import { type ApduLine, fromHex, apduLines as linesOf } from "@meterkeep/dlms";

/** Lines of the tree in pre-order; undefined where the text is no APDU in hex. */
export function apduLines(hex: string): readonly ApduLine[] | undefined {
  return /^([0-9A-Fa-f]{2})*$/.test(hex) ? linesOf(fromHex(hex)) : undefined;
}

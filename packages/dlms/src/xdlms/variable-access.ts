import { c } from "../codec/c.ts";
import type { Codec, Infer } from "../codec/codec.ts";

// The requests of short-name referencing (Green Book 9.5). Each is declared for a codec of Data: the tree, to show it,
// and the octets, to carry it.

/** Data-Block-Result and Read-Data-Block-Access ::= SEQUENCE { last-block BOOLEAN, block-number Unsigned16, raw-data OCTET STRING } */
export const shortDatablock = c.struct({ lastBlock: c.boolean, blockNumber: c.unsigned16, rawData: c.bytes() });
export type ShortDatablock = Infer<typeof shortDatablock>;

/**
 * Variable-Access-Specification ::= CHOICE { variable-name [2], parameterized-access [4], block-number-access [5],
 * read-data-block-access [6], write-data-block-access [7] }
 *
 * A variable name is an ObjectName, Integer16; it is kept as 0 to 65 535, since base names are written so (0xFA00).
 */
export function variableAccessOf<T>(data: Codec<T>) {
  return c.choice({
    "variable-name": [2, c.unsigned16],
    "parameterized-access": [4, c.struct({ variableName: c.unsigned16, selector: c.unsigned8, parameter: data })],
    "block-number-access": [5, c.unsigned16],
    "read-data-block-access": [6, shortDatablock],
    "write-data-block-access": [7, c.struct({ lastBlock: c.boolean, blockNumber: c.unsigned16 })],
  });
}

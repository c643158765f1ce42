import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { dataAccessResult } from "./results.ts";

/** DataBlock-G ::= SEQUENCE { last-block, block-number, result CHOICE { raw-data [0], data-access-result [1] } } */
export const getDatablock = c.struct({
  lastBlock: c.boolean,
  blockNumber: c.unsigned32,
  result: c.choice({ "raw-data": [0, c.bytes()], "data-access-result": [1, dataAccessResult] }),
});
export type GetDatablock = Infer<typeof getDatablock>;

/** DataBlock-SA ::= SEQUENCE { last-block, block-number, raw-data }: blocks of SET and ACTION. */
export const datablock = c.struct({
  lastBlock: c.boolean,
  blockNumber: c.unsigned32,
  rawData: c.bytes(),
});
export type Datablock = Infer<typeof datablock>;

/**
 * General-Block-Transfer ::= SEQUENCE { block-control, block-number, block-number-ack, block-data }.
 *
 * block-control: bit 7 last block, bit 6 streaming, bits 5 to 0 window.
 */
export const generalBlockTransfer = c.struct({
  control: c.map("block-control", c.unsigned8, {
    decode: (octet): BlockControl => ({
      lastBlock: (octet & 0x80) !== 0,
      streaming: (octet & 0x40) !== 0,
      window: octet & 0x3f,
    }),
    encode: ({ lastBlock, streaming, window }) => (window & 0x3f) | (lastBlock ? 0x80 : 0) | (streaming ? 0x40 : 0),
  }),
  blockNumber: c.unsigned16,
  blockNumberAck: c.unsigned16,
  blockData: c.bytes(),
});

export interface BlockControl {
  readonly lastBlock: boolean;
  readonly streaming: boolean;
  /** How many blocks the sender can take at once, 0 to 63. */
  readonly window: number;
}
export type GeneralBlockTransfer = Infer<typeof generalBlockTransfer>;

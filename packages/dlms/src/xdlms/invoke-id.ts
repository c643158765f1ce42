import type { Codec } from "../codec/codec.ts";
import { map } from "../codec/mapped.ts";
import { unsigned8, unsigned32 } from "../codec/scalars.ts";
import { DlmsError } from "../errors.ts";

/** Invoke-Id-And-Priority: bits 0 to 3, 6 and 7 of one octet; the reserved bits between are not kept. */
export interface InvokeIdAndPriority {
  /** 0 to 15; the response carries the request's. */
  readonly invokeId: number;
  /** Service class: whether a response is wanted. */
  readonly confirmed: boolean;
  readonly highPriority: boolean;
}

export const invokeIdAndPriority: Codec<InvokeIdAndPriority> = map("invoke-id-and-priority", unsigned8, {
  decode: (octet) => ({
    invokeId: octet & 0x0f,
    confirmed: (octet & 0x40) !== 0,
    highPriority: (octet & 0x80) !== 0,
  }),
  encode: ({ invokeId, confirmed, highPriority }) =>
    limited(invokeId, 0x0f) | (confirmed ? 0x40 : 0) | (highPriority ? 0x80 : 0),
});

/** Long-Invoke-Id-And-Priority, four octets. */
export interface LongInvokeIdAndPriority {
  /**
   * The low 28 bits. The standard gives 24 to the id and reserves four; meters that put a counter here run on into
   * those, so they are kept with it.
   */
  readonly invokeId: number;
  readonly selfDescriptive: boolean;
  /** Processing option: stop at the first error instead of going on. */
  readonly breakOnError: boolean;
  readonly confirmed: boolean;
  readonly highPriority: boolean;
}

export const longInvokeIdAndPriority: Codec<LongInvokeIdAndPriority> = map("long-invoke-id-and-priority", unsigned32, {
  decode: (word) => ({
    invokeId: word & 0x0fffffff,
    selfDescriptive: (word & 0x10000000) !== 0,
    breakOnError: (word & 0x20000000) !== 0,
    confirmed: (word & 0x40000000) !== 0,
    highPriority: (word & 0x80000000) !== 0,
  }),
  encode: (value) =>
    (limited(value.invokeId, 0x0fffffff) |
      (value.selfDescriptive ? 0x10000000 : 0) |
      (value.breakOnError ? 0x20000000 : 0) |
      (value.confirmed ? 0x40000000 : 0) |
      (value.highPriority ? 0x80000000 : 0)) >>>
    0,
});

function limited(invokeId: number, max: number): number {
  if (!Number.isInteger(invokeId) || invokeId < 0 || invokeId > max)
    throw new DlmsError("out-of-range", `invoke-id ${invokeId} is not from 0 to ${max}`);
  return invokeId;
}

import { DecodeError } from "../errors.ts";
import { Reader } from "./reader.ts";
import type { Shape } from "./shape.ts";
import { Writer } from "./writer.ts";

/** A wire format: encoder, decoder and its description, declared once as a value. */
export interface Codec<T> {
  /** Plain data that describes the format. */
  readonly shape: Shape;
  /** Appends `value`. @throws DlmsError where the value does not fit the format. */
  encode(w: Writer, value: T): void;
  /** Reads one value. @throws DecodeError with code, offset and path. */
  decode(r: Reader): T;
}

/** The TypeScript type of the values of a codec: `type GetRequest = Infer<typeof getRequest>`. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

/** Flattens an intersection so that editors show the fields. */
export type Simplify<T> = { [K in keyof T]: T[K] } & {};

/** Encodes one value into octets of its own. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer();
  codec.encode(w, value);
  return w.finish();
}

/**
 * Decodes one value that takes all of `bytes`.
 *
 * @throws DecodeError; `trailing-bytes` when octets are left, unless `options.trailing` is `"ignore"` (some meters send
 * a second copy of the value, `decodeFirst` tells what was left).
 */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array, options?: { trailing?: "refuse" | "ignore" }): T {
  const r = new Reader(bytes);
  const value = codec.decode(r);
  if (r.offset !== r.end && options?.trailing !== "ignore")
    throw new DecodeError("trailing-bytes", r.offset, `${r.end - r.offset} octets after the value`);
  return value;
}

/** Decodes the first value in `bytes` and returns the octets after it. */
export function decodeFirst<T>(codec: Codec<T>, bytes: Uint8Array): { readonly value: T; readonly rest: Uint8Array } {
  const r = new Reader(bytes);
  const value = codec.decode(r);
  return { value, rest: bytes.subarray(r.offset) };
}

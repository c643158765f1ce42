import type { Codec } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";

/** Decodes what stands after the tag of an APDU, all of it. @throws DecodeError */
export function decodeApdu<T>(codec: Codec<T>, apdu: Uint8Array): T {
  return decodeFrom(codec, apdu, 1);
}

/** As `decodeApdu`, but octets that follow are ignored: some servers send an APDU twice in one. @throws DecodeError */
export function decodeFirstApdu<T>(codec: Codec<T>, apdu: Uint8Array): T {
  return codec.decode(new Reader(apdu, Math.min(1, apdu.length)));
}

/** As `decodeForm`, but octets that follow are ignored. @throws DecodeError */
export function decodeFirstForm<T>(codec: Codec<T>, apdu: Uint8Array): T {
  return codec.decode(new Reader(apdu, Math.min(2, apdu.length)));
}

/** Decodes what stands after tag and choice of an APDU, all of it. @throws DecodeError */
export function decodeForm<T>(codec: Codec<T>, apdu: Uint8Array): T {
  return decodeFrom(codec, apdu, 2);
}

function decodeFrom<T>(codec: Codec<T>, apdu: Uint8Array, start: number): T {
  const reader = new Reader(apdu, Math.min(start, apdu.length));
  const value = codec.decode(reader);
  if (reader.remaining > 0) reader.fail("trailing-bytes", `${reader.remaining} octets after the APDU`);
  return value;
}

/** Encodes an APDU: its tag, then `value`. */
export function encodeApdu<T>(tag: number, codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  writer.unsigned8(tag);
  codec.encode(writer, value);
  return writer.finish();
}

/** Encodes an APDU in one of its forms: tag, choice, then `value`. */
export function encodeForm<T>(form: readonly [tag: number, choice: number], codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  writer.unsigned8(form[0]);
  writer.unsigned8(form[1]);
  codec.encode(writer, value);
  return writer.finish();
}

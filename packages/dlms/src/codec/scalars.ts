import { DlmsError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import type { Shape } from "./shape.ts";
import { utf8Length } from "./text.ts";

export const unsigned8: Codec<number> = {
  shape: { type: "unsigned", bytes: 1 },
  encode: (w, value) => w.unsigned8(value),
  decode: (r) => r.unsigned8(),
};

export const unsigned16: Codec<number> = {
  shape: { type: "unsigned", bytes: 2 },
  encode: (w, value) => w.unsigned16(value),
  decode: (r) => r.unsigned16(),
};

export const unsigned32: Codec<number> = {
  shape: { type: "unsigned", bytes: 4 },
  encode: (w, value) => w.unsigned32(value),
  decode: (r) => r.unsigned32(),
};

export const unsigned64: Codec<bigint> = {
  shape: { type: "unsigned", bytes: 8 },
  encode: (w, value) => w.unsigned64(value),
  decode: (r) => r.unsigned64(),
};

export const integer8: Codec<number> = {
  shape: { type: "integer", bytes: 1 },
  encode: (w, value) => w.integer8(value),
  decode: (r) => r.integer8(),
};

export const integer16: Codec<number> = {
  shape: { type: "integer", bytes: 2 },
  encode: (w, value) => w.integer16(value),
  decode: (r) => r.integer16(),
};

export const integer32: Codec<number> = {
  shape: { type: "integer", bytes: 4 },
  encode: (w, value) => w.integer32(value),
  decode: (r) => r.integer32(),
};

export const integer64: Codec<bigint> = {
  shape: { type: "integer", bytes: 8 },
  encode: (w, value) => w.integer64(value),
  decode: (r) => r.integer64(),
};

export const float32: Codec<number> = {
  shape: { type: "float", bytes: 4 },
  encode: (w, value) => w.float32(value),
  decode: (r) => r.float32(),
};

export const float64: Codec<number> = {
  shape: { type: "float", bytes: 8 },
  encode: (w, value) => w.float64(value),
  decode: (r) => r.float64(),
};

/** A-XDR BOOLEAN: 0 is false, anything else true (written as 1, as meters do; X.690's FF is read as true). */
export const boolean: Codec<boolean> = {
  shape: { type: "boolean" },
  encode: (w, value) => w.unsigned8(value ? 1 : 0),
  decode: (r) => r.unsigned8() !== 0,
};

/** NULL: no octets at all. */
export const nothing: Codec<undefined> = {
  shape: { type: "nothing" },
  encode: () => {},
  decode: () => undefined,
};

/** Length-prefixed octets; at most `max` of them where given. */
export function bytes(limits: { readonly max?: number } = {}): Codec<Uint8Array> {
  const max = limits.max ?? Number.POSITIVE_INFINITY;
  const shape: Shape = limits.max === undefined ? { type: "bytes" } : { type: "bytes", max: limits.max };
  return {
    shape,
    encode: (w, value) => {
      checkMost(value.length, max);
      w.lengthAndOctets(value);
    },
    decode: (r) => {
      const at = r.offset;
      const length = r.length();
      if (length > max) r.fail("wrong-length", `${length} octets, at most ${max} allowed`, at);
      return r.octets(length);
    },
  };
}

/** Exactly `length` octets without a length. */
export function fixedBytes(length: number): Codec<Uint8Array> {
  return {
    shape: { type: "bytes", length },
    encode: (w, value) => {
      if (value.length !== length)
        throw new DlmsError("wrong-length", `${value.length} octets given, ${length} belong here`);
      w.octets(value);
    },
    decode: (r) => r.octets(length),
  };
}

/** All octets up to the end of the enclosing field. */
export const restBytes: Codec<Uint8Array> = {
  shape: { type: "bytes", rest: true },
  encode: (w, value) => w.octets(value),
  decode: (r) => r.octets(r.remaining),
};

/** Length-prefixed UTF-8; `max` counts octets. */
export function utf8(limits: { readonly max?: number } = {}): Codec<string> {
  const max = limits.max ?? Number.POSITIVE_INFINITY;
  return {
    shape: { type: "text", charset: "utf8", ...limits },
    encode: (w, value) => {
      if (limits.max !== undefined) checkMost(utf8Length(value), max);
      w.lengthAndUtf8(value);
    },
    decode: (r) => {
      const at = r.offset;
      const length = r.length();
      if (length > max) r.fail("wrong-length", `${length} octets, at most ${max} allowed`, at);
      return r.utf8(length);
    },
  };
}

/** Length-prefixed ASCII. */
export function ascii(limits: { readonly max?: number } = {}): Codec<string> {
  const max = limits.max ?? Number.POSITIVE_INFINITY;
  return {
    shape: { type: "text", charset: "ascii", ...limits },
    encode: (w, value) => {
      checkMost(value.length, max);
      w.length(value.length);
      w.ascii(value);
    },
    decode: (r) => {
      const at = r.offset;
      const length = r.length();
      if (length > max) r.fail("wrong-length", `${length} octets, at most ${max} allowed`, at);
      return r.ascii(length);
    },
  };
}

function checkMost(length: number, max: number): void {
  if (length > max) throw new DlmsError("wrong-length", `${length} octets given, at most ${max} allowed`);
}

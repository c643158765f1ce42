/**
 * What a codec reads and writes, as plain data: printers, console forms, reference documents and property tests are
 * made from it. `bytes` counts octets on the wire.
 */
export type Shape =
  | { readonly type: "unsigned" | "integer"; readonly bytes: 1 | 2 | 4 | 8 }
  | { readonly type: "float"; readonly bytes: 4 | 8 }
  | { readonly type: "boolean" }
  | { readonly type: "nothing" }
  | { readonly type: "bytes"; readonly length?: number; readonly max?: number; readonly rest?: true }
  | { readonly type: "text"; readonly charset: "utf8" | "ascii"; readonly max?: number }
  | { readonly type: "constant"; readonly value: number | string | boolean | bigint; readonly of: Shape }
  | { readonly type: "enumeration"; readonly values: Readonly<Record<string, number>>; readonly open: boolean }
  | { readonly type: "flags"; readonly bits: Readonly<Record<string, number>> }
  | { readonly type: "optional"; readonly of: Shape }
  | { readonly type: "default"; readonly of: Shape; readonly value: unknown }
  | { readonly type: "sequence"; readonly of: Shape; readonly max?: number }
  | { readonly type: "struct"; readonly fields: readonly { readonly name: string; readonly shape: Shape }[] }
  | {
      readonly type: "choice";
      /** `tag` is absent where the variant's own first octet tells it apart. */
      readonly variants: readonly { readonly kind: string; readonly tag?: number; readonly shape: Shape }[];
    }
  /** A COSEM Data item of one type: its tag octet, then `of`. */
  | { readonly type: "tagged"; readonly name: string; readonly tag: number; readonly of: Shape }
  /** A COSEM Data item that may be null-data instead. */
  | { readonly type: "nullable"; readonly of: Shape }
  /** The same value with something of the format around it that the value does not show: a length, a tag. */
  | { readonly type: "framed"; readonly name: string; readonly of: Shape }
  /** A value made from, and turned back into, what `of` describes: `name` says what it is. */
  | { readonly type: "mapped"; readonly name: string; readonly of: Shape }
  /** Declared elsewhere under this name, for recursion and for formats with a decoder of their own. */
  | { readonly type: "named"; readonly name: string };

/** The fewest octets a value of this shape takes: bounds element counts before anything is allocated. */
export function minimumBytes(shape: Shape): number {
  switch (shape.type) {
    case "unsigned":
    case "integer":
    case "float":
      return shape.bytes;
    case "nothing":
      return 0;
    case "bytes":
      return shape.rest === true ? 0 : (shape.length ?? 1);
    case "constant":
    case "mapped":
      return minimumBytes(shape.of);
    case "struct":
      return shape.fields.reduce((sum, field) => sum + minimumBytes(field.shape), 0);
    case "choice":
      return Math.min(
        ...shape.variants.map((variant) => (variant.tag === undefined ? 0 : 1) + minimumBytes(variant.shape)),
      );
    case "tagged":
    case "framed":
      return 1 + minimumBytes(shape.of);
    case "boolean":
    case "text":
    case "enumeration":
    case "flags":
    case "optional":
    case "default":
    case "sequence":
    case "named":
    case "nullable":
      return 1;
    default:
      return shape satisfies never;
  }
}

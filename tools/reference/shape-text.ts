import type { Shape } from "../../packages/dlms/src/index.ts";

/** Deeper values are named by their type only: the rest would hide what matters. */
const MOST_DEPTH = 12;

/** A shape on one line, as people write types: `array of structure { attributeId: integer, … }`. */
export function shapeText(shape: Shape, depth = 0): string {
  if (depth > MOST_DEPTH) return "…";
  const inner = (of: Shape): string => shapeText(of, depth + 1);
  switch (shape.type) {
    case "unsigned":
    case "integer":
      return `${shape.type}${shape.bytes * 8}`;
    case "float":
      return `float${shape.bytes * 8}`;
    case "boolean":
      return "boolean";
    case "nothing":
      return "nothing";
    case "bytes":
      if (shape.rest === true) return "octets to the end";
      return shape.length === undefined ? "octets" : `${shape.length} octets`;
    case "text":
      return `text (${shape.charset})`;
    case "constant":
      return `always ${String(shape.value)}`;
    case "enumeration": {
      const names = Object.entries(shape.values).map(([name, number]) => `${number} ${name}`);
      return `(${names.join(", ")}${shape.open ? ", …" : ""})`;
    }
    case "flags":
      return `bits (${Object.entries(shape.bits)
        .map(([name, bit]) => `${bit} ${name}`)
        .join(", ")})`;
    case "optional":
      return `${inner(shape.of)}, optional`;
    case "default":
      return `${inner(shape.of)}, ${String(shape.value)} unless sent`;
    case "nullable":
      return `null-data or ${inner(shape.of)}`;
    case "sequence":
      return `list of ${inner(shape.of)}`;
    case "struct":
      return `{ ${shape.fields.map(({ name, shape: field }) => `${name}: ${inner(field)}`).join(", ")} }`;
    case "choice":
      return shape.variants.map(({ kind, shape: variant }) => `${kind}: ${inner(variant)}`).join(" \\| ");
    case "tagged":
      return taggedText(shape.name, shape.of, inner);
    case "framed":
      return inner(shape.of);
    case "mapped":
      return MAPPED[shape.name] ?? shape.name;
    case "named":
      return NAMED[shape.name] ?? shape.name;
    default:
      return shape satisfies never;
  }
}

/** COSEM types by name; what they hold is only said where the name does not. */
function taggedText(name: string, of: Shape, inner: (of: Shape) => string): string {
  switch (of.type) {
    case "struct":
    case "enumeration":
    case "flags":
      return `${name} ${inner(of)}`;
    case "sequence":
      return `${name} of ${inner(of.of)}`;
    case "framed":
      return of.of.type === "named" ? `${name} with ${inner(of.of)}` : `${name} (${inner(of.of)})`;
    default:
      return name;
  }
}

const NAMED: Readonly<Record<string, string>> = { data: "any type" };

const MAPPED: Readonly<Record<string, string>> = {
  "logical name": "octet-string (logical name)",
  "short name": "long (short name)",
  number: "a number",
  "called or not": "boolean",
  "call mode": "enum",
};

import { acseApdu, apdu, type Shape } from "../../packages/dlms/src/index.ts";
import { shapeText } from "./shape-text.ts";

/** The page of all APDUs. */
export function apdusDocument(): string {
  return `# APDUs

Drawn from the declarations in \`packages/dlms/src/xdlms\` and \`packages/dlms/src/acse\` by \`node tools/reference.ts\`; do not
edit. \`apdu\` and \`acseApdu\` read and write them as \`{ kind, value }\`. The first octet of each is its tag.

## Of the association (ACSE, in BER)

${sections(acseApdu.shape)}
## Of services (xDLMS, in A-XDR)

${sections(apdu.shape)}`;
}

type Variant = Extract<Shape, { type: "choice" }>["variants"][number];

function sections(shape: Shape): string {
  if (shape.type !== "choice") return `${shapeText(shape)}\n`;
  const sealed = shape.variants.filter(isServiceCiphered);
  const plain = shape.variants.filter((variant) => !isServiceCiphered(variant));
  const text = plain.map(section).join("\n");
  return sealed.length === 0 ? text : `${text}\n${sealedTable(sealed)}`;
}

function isServiceCiphered({ kind }: Variant): boolean {
  return /^(glo|ded)-/.test(kind);
}

function section({ kind, tag, shape }: Variant): string {
  return `### ${kind}${tag === undefined ? "" : ` (${hex(tag)})`}\n\n${body(shape)}`;
}

/** Fields a line each, forms a heading each. */
function body(shape: Shape): string {
  if (shape.type === "framed") return body(shape.of);
  if (shape.type === "struct") return fields(shape);
  if (shape.type !== "choice") return `${shapeText(shape)}\n`;
  return shape.variants
    .map(({ kind, tag, shape: form }) => {
      const head = `*${kind}*${tag === undefined ? "" : ` (${hex(tag)})`}`;
      return form.type === "struct" ? `${head}\n\n${fields(form)}` : `${head}: ${shapeText(form)}\n`;
    })
    .join("\n");
}

function fields(shape: Extract<Shape, { type: "struct" }>): string {
  const rows = shape.fields.map(({ name, shape: field }) => `| \`${name}\` | ${shapeText(field)} |`);
  return ["| field | type |", "|---|---|", ...rows, ""].join("\n");
}

function sealedTable(variants: readonly Variant[]): string {
  const rows = variants.map(({ kind, tag }) => `| ${kind} | ${tag === undefined ? "" : hex(tag)} |`);
  return [
    "### Service-specific ciphering",
    "",
    "A security header (security control and invocation counter), then the APDU, ciphered or with a tag behind it.",
    "",
    "| APDU | tag |",
    "|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

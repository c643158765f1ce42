import {
  type AnyInterfaceClass,
  INTERFACE_CLASSES,
  type NamedAttribute,
  type NamedMethod,
  SHORT_NAME_STEP,
} from "../../packages/dlms/src/index.ts";
import { shapeText } from "./shape-text.ts";

/** The page of all interface classes. */
export function classesDocument(): string {
  const ids = [...new Set(INTERFACE_CLASSES.map(({ id }) => id))];
  const rows = ids.map((id) => {
    const versions = INTERFACE_CLASSES.filter((declared) => declared.id === id);
    const [first] = versions as [AnyInterfaceClass];
    return `| ${id} | [${first.name}](#${anchorOf(first)}) | ${versions.map(({ version }) => version).join(", ")} |`;
  });
  return `${HEAD}
| class_id | class | versions |
|---|---|---|
${rows.join("\n")}

${INTERFACE_CLASSES.map(classSection).join("\n")}`;
}

const HEAD = `# Interface classes

Drawn from the declarations in \`packages/dlms/src/cosem/classes\` by \`node tools/reference.ts\`; do not edit. Types are those
on the wire, names those of the library: \`remote(session, Register, "1.0.1.8.0.255").get("scalerUnit")\`. What is added to
the base name under short-name referencing stands in the column *short*.

Attribute 1 of every class is \`logicalName\`, an octet-string of six octets. Classes and versions that are not here are
read and served as raw data (\`rawClass\`).
`;

function anchorOf({ id, version }: AnyInterfaceClass): string {
  return `class-${id}-version-${version}`;
}

function classSection(declared: AnyInterfaceClass): string {
  const { id, version, name, attributes, methods, methodOffset } = declared;
  const members = Object.entries(attributes)
    .map(([key, attribute]): NamedAttribute => ({ name: key, ...attribute }))
    .filter(({ index }) => index !== 1);
  const calls = Object.entries(methods).map(([key, method]): NamedMethod => ({ name: key, ...method }));
  const parts = [`## Class ${id} version ${version}`, "", `${name}.`, "", ...attributeTable(members)];
  if (calls.length > 0) parts.push("", ...methodTable(calls, methodOffset ?? 0));
  return `${parts.join("\n")}\n`;
}

function attributeTable(attributes: readonly NamedAttribute[]): string[] {
  const rows = attributes.map(({ name, index, codec, selection }) => {
    const selectors = Object.entries(selection).map(
      ([kind, part]) => `${part.selector} ${kind}: ${shapeText(part.codec.shape)}`,
    );
    const suffix = selectors.length === 0 ? "" : `; selective access ${selectors.join("; ")}`;
    return `| ${index} | \`${name}\` | ${shapeText(codec.shape)}${suffix} | ${hex((index - 1) * SHORT_NAME_STEP)} |`;
  });
  return ["| attribute | name | type | short |", "|---|---|---|---|", ...rows];
}

function methodTable(methods: readonly NamedMethod[], offset: number): string[] {
  const rows = methods.map(({ name, index, parameter, result }) => {
    const returned = result === undefined ? "" : shapeText(result.shape);
    return `| ${index} | \`${name}\` | ${shapeText(parameter.shape)} | ${returned} | ${hex(offset + (index - 1) * SHORT_NAME_STEP)} |`;
  });
  return ["| method | name | parameter | returns | short |", "|---|---|---|---|---|", ...rows];
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

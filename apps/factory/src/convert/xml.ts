import { SourceError } from "./source-row.ts";

/** An element of a document: text and elements, no attributes, which nothing here needs. */
export interface XmlElement {
  /** Without a prefix of a namespace. */
  readonly name: string;
  readonly line: number;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const MOST_DEPTH = 16;
const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([\w.:-]+)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|[^<]+/gy;

interface Open {
  readonly name: string;
  readonly line: number;
  text: string;
  readonly children: XmlElement[];
}

/**
 * Reads an XML document of elements and text. What would let it refer to anything outside itself, or grow, is refused: a
 * DOCTYPE, entities but the five, more than 16 levels.
 *
 * @throws SourceError
 */
export function parseXml(text: string): XmlElement {
  const top: Open = { name: "", line: 1, text: "", children: [] };
  const open: Open[] = [top];
  let [at, line] = [0, 1];
  const refuse = (why: string) => new SourceError(line, why);
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text);
    if (token === null)
      throw refuse(text.startsWith("<!DOCTYPE", at) ? "a DOCTYPE is not taken" : "this is not well-formed XML");
    const [whole, cdata, closing, qualified, , empty] = token;
    const current = open.at(-1) as Open;
    if (qualified !== undefined) {
      const name = qualified.slice(qualified.indexOf(":") + 1);
      if (closing === "/") {
        if (open.length === 1 || current.name !== name) throw refuse(`</${name}> closes nothing`);
        open.pop();
        (open.at(-1) as Open).children.push({ ...current, text: current.text.trim() });
      } else if (empty === "/") current.children.push({ name, line, text: "", children: [] });
      else if (open.length > MOST_DEPTH) throw refuse(`more than ${MOST_DEPTH} levels of elements`);
      else open.push({ name, line, text: "", children: [] });
    } else if (cdata !== undefined) current.text += cdata;
    else if (!whole.startsWith("<")) current.text += unescaped(whole, refuse);
    line += whole.split("\n").length - 1;
    at += whole.length;
  }
  const [root, ...others] = top.children;
  if (open.length > 1 || root === undefined || others.length > 0 || top.text.trim() !== "")
    throw refuse("not one element, whole and closed");
  return root;
}

function unescaped(text: string, refuse: (why: string) => SourceError): string {
  return text.replace(/&([^;]{0,10});?/g, (entity, name: string) => {
    const code = /^#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}))$/.exec(name);
    const found = code === null ? ENTITIES[name] : characterOf(code[1], code[2]);
    if (found === undefined || !entity.endsWith(";")) throw refuse(`the entity ${entity} is not known`);
    return found;
  });
}

function characterOf(decimal: string | undefined, hex: string | undefined): string | undefined {
  const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
  return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : undefined;
}

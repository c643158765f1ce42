import { SourceError, type SourceRow } from "./source-row.ts";

const MOST_CHARACTERS = 1 << 16;

/**
 * Reads comma-separated values (RFC 4180) with a line of names at the top, one row after the other.
 *
 * @throws SourceError where a quote does not close, a row has another number of fields than the names, a name stands twice,
 * or a row has over 65 536 characters.
 */
export async function* csvRows(chunks: AsyncIterable<string>, separator: string): AsyncGenerator<SourceRow> {
  let names: readonly string[] | undefined;
  for await (const { line, fields } of records(chunks, separator)) {
    if (names === undefined) {
      names = fields.map((name) => name.trim());
      const twice = names.find((name, at) => names?.indexOf(name) !== at);
      if (twice !== undefined) throw new SourceError(line, `the column "${twice}" stands twice in the first line`);
      continue;
    }
    if (fields.length !== names.length)
      throw new SourceError(line, `${fields.length} fields, where the first line names ${names.length}`);
    yield { line, fields: new Map(names.map((name, at) => [name, fields[at] as string])) };
  }
}

interface Record {
  readonly line: number;
  readonly fields: readonly string[];
}

async function* records(chunks: AsyncIterable<string>, separator: string): AsyncGenerator<Record> {
  let [held, line] = ["", 1];
  for await (const chunk of chunks) {
    held += held === "" && line === 1 ? chunk.replace(/^\uFEFF/, "") : chunk;
    for (let end = endOf(held); end >= 0; end = endOf(held)) {
      const text = held.slice(0, end).replace(/\r$/, "");
      held = held.slice(end + 1);
      if (text !== "") yield { line, fields: fieldsOf(text, line, separator) };
      line += 1 + (text.match(/\n/g)?.length ?? 0);
    }
    if (held.length > MOST_CHARACTERS)
      throw new SourceError(line, `over ${MOST_CHARACTERS} characters, or a quote that does not close`);
  }
  const text = held.replace(/\r$/, "");
  if (text !== "") yield { line, fields: fieldsOf(text, line, separator) };
}

/** Where a record ends: at the first line end that is not within quotes. */
function endOf(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '"') quoted = !quoted;
    else if (text[at] === "\n" && !quoted) return at;
  }
  return -1;
}

function fieldsOf(text: string, line: number, separator: string): string[] {
  const fields: string[] = [];
  for (let at = 0; ; ) {
    if (text[at] === '"') {
      const [value, next] = quotedAt(text, at, line);
      fields.push(value);
      at = next;
    } else {
      const end = text.indexOf(separator, at);
      const value = end < 0 ? text.slice(at) : text.slice(at, end);
      if (value.includes('"')) throw new SourceError(line, "a quote within a field that is not quoted");
      fields.push(value);
      at += value.length;
    }
    if (at >= text.length) return fields;
    if (text[at] !== separator) throw new SourceError(line, "something follows a quoted field");
    at += 1;
    if (at === text.length) return [...fields, ""];
  }
}

function quotedAt(text: string, from: number, line: number): readonly [value: string, next: number] {
  let value = "";
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] !== '"') value += text[at];
    else if (text[at + 1] === '"') {
      value += '"';
      at += 1;
    } else return [value, at + 1];
  }
  throw new SourceError(line, "a quote that does not close");
}

import type { Codec } from "../codec/codec.ts";
import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import { DlmsError, within } from "../errors.ts";
import { type CompactArray, DATA_TAGS, type Data, type DataType, type TypeDescription } from "./value.ts";

/** Looks up how the content of a simple type is written; given by the Data codec, which knows them all. */
export type ContentTable = (type: DataType) => { readonly tag: number; readonly codec: Codec<unknown> };

// compact-array ::= SEQUENCE { contents-description TypeDescription, array-contents OCTET STRING } (Green Book 9.5):
// items stand in array-contents without tags, arrays among them without counts.

/** The codec of a compact array's content. */
export function compactArrayOf(contents: ContentTable): Codec<CompactArray> {
  return {
    shape: { type: "named", name: "compact-array" },
    encode(w, value) {
      writeDescription(w, value.contents);
      const start = w.openField();
      let at = 0;
      try {
        for (; at < value.items.length; at += 1) writeItem(w, contents, value.contents, value.items[at]!);
      } catch (error) {
        throw within(error, at);
      }
      w.closeField(start);
    },
    decode(r) {
      const description = readDescription(r);
      const length = r.length();
      const outer = r.openField(length);
      // Null items take no octets, so a description could promise far more items than the input pays for.
      const budget = { left: ITEMS_PER_OCTET * length };
      const items: Data[] = [];
      try {
        while (r.remaining > 0) items.push(readItem(r, contents, description, budget));
      } catch (error) {
        throw within(error, items.length);
      }
      r.closeField(outer);
      return { contents: description, items };
    },
  };
}

const ITEMS_PER_OCTET = 4;

function writeDescription(w: Writer, description: TypeDescription): void {
  if (typeof description === "string") {
    w.unsigned8(DATA_TAGS[description]);
    return;
  }
  w.unsigned8(DATA_TAGS[description.type]);
  if (description.type === "array") {
    w.unsigned16(description.count);
    writeDescription(w, description.of);
  } else {
    w.length(description.of.length);
    for (const field of description.of) writeDescription(w, field);
  }
}

function readDescription(r: Reader): TypeDescription {
  const tag = r.unsigned8();
  if (tag === DATA_TAGS.array) {
    r.enter();
    const count = r.unsigned16();
    const of = readDescription(r);
    r.leave();
    return { type: "array", count, of };
  }
  if (tag === DATA_TAGS.structure) {
    r.enter();
    const count = r.elements();
    const of = Array.from({ length: count }, () => readDescription(r));
    r.leave();
    return { type: "structure", of };
  }
  const type = SIMPLE_TYPES.get(tag);
  return type ?? r.fail("unknown-tag", `0x${tag.toString(16)} in a type description`, r.offset - 1);
}

const SIMPLE_TYPES = new Map(
  (Object.entries(DATA_TAGS) as [DataType, number][])
    .filter(([type]) => type !== "array" && type !== "structure" && type !== "compact-array")
    .map(([type, tag]) => [tag, type as Extract<TypeDescription, string>]),
);

function writeItem(w: Writer, contents: ContentTable, description: TypeDescription, item: Data): void {
  const type = typeof description === "string" ? description : description.type;
  if (item.type !== type) throw new DlmsError("wrong-type", `${item.type} in a compact array of ${type}`);
  if (typeof description === "string") {
    contents(description).codec.encode(w, item.value);
    return;
  }
  const values = item.value as readonly Data[];
  const wanted = description.type === "array" ? description.count : description.of.length;
  if (values.length !== wanted)
    throw new DlmsError("wrong-length", `${type} of ${values.length} items where ${wanted} are described`);
  values.forEach((value, at) => {
    writeItem(w, contents, description.type === "array" ? description.of : description.of[at]!, value);
  });
}

function readItem(r: Reader, contents: ContentTable, description: TypeDescription, budget: { left: number }): Data {
  budget.left -= 1;
  if (budget.left < 0) r.fail("too-many", "more items described than the octets can hold");
  if (typeof description === "string") {
    const value = contents(description).codec.decode(r);
    return { type: description, value } as Data;
  }
  r.enter();
  const count = description.type === "array" ? description.count : description.of.length;
  const values: Data[] = [];
  for (let at = 0; at < count; at += 1)
    values.push(readItem(r, contents, description.type === "array" ? description.of : description.of[at]!, budget));
  r.leave();
  return { type: description.type, value: values };
}

import { hex } from "../link/fault.ts";
import { type ObisCode, parseObis } from "../obis/code.ts";
import type { ItemList } from "./item.ts";
import type { Layout, LayoutMatch } from "./layout.ts";
import { parseSelector } from "./selector.ts";
import { textOf } from "./value.ts";

/** What is known of a telegram when its layout is looked for. */
export interface LayoutContext {
  /** FLAG id of the maker. */
  readonly maker: string | undefined;
  /** Addresses of the HDLC frame. */
  readonly hdlc: { readonly destination: string; readonly source: string } | undefined;
  readonly invokeId: number | undefined;
  /** Text of the first value. */
  readonly listId: string | undefined;
  /** The list, where its values carry codes. */
  readonly list: ItemList | undefined;
}

/** Whether a telegram meets all conditions of a layout. */
export function meets(context: LayoutContext, match: LayoutMatch): boolean {
  const { maker } = context;
  const isMaker = match.makers === undefined || (maker !== undefined && match.makers.includes(maker));
  return isMaker && meetsApartFromMaker(context, match);
}

/** Whether a telegram that does not name its maker meets all other conditions. */
export function mayMeet(context: LayoutContext, match: LayoutMatch): boolean {
  return context.maker === undefined && meetsApartFromMaker(context, match);
}

function meetsApartFromMaker(context: LayoutContext, match: LayoutMatch): boolean {
  const { hdlc, invokeId, listId, list } = context;
  if (match.listId !== undefined && match.listId !== listId) return false;
  if (match.invokeId !== undefined && (invokeId === undefined || hex(invokeId, 8) !== match.invokeId)) return false;
  if (match.hdlc !== undefined) {
    const { destination, source } = match.hdlc;
    if (hdlc?.destination !== destination || hdlc.source !== source) return false;
  }
  if (match.pushSetup !== undefined) {
    const selects = parseSelector(match.pushSetup);
    if (list?.pushSetup === undefined || selects?.(list.pushSetup) !== true) return false;
  }
  if (match.contains?.some((code) => find(list, code) === undefined) === true) return false;
  return match.endings?.every(({ obis, endsWith }) => endsInOneOf(list, obis, endsWith)) ?? true;
}

/** The first layout for values that carry codes: one with columns is for values that do not. */
export function findTaggedLayout(layouts: readonly Layout[], context: LayoutContext): Layout | undefined {
  return layouts.find((layout) => layout.columns === undefined && meets(context, layout.match));
}

function endsInOneOf(list: ItemList | undefined, code: string, endings: readonly string[]): boolean {
  const item = find(list, code);
  const text = item === undefined ? undefined : textOf(item.value);
  return text !== undefined && endings.some((ending) => text.endsWith(ending));
}

function find(list: ItemList | undefined, text: string) {
  const wanted = parseObis(text);
  return wanted === undefined ? undefined : list?.items.find((item) => sameCode(item.code, wanted));
}

function sameCode(one: ObisCode, other: ObisCode): boolean {
  return (
    one.a === other.a &&
    one.b === other.b &&
    one.c === other.c &&
    one.d === other.d &&
    one.e === other.e &&
    one.f === other.f
  );
}

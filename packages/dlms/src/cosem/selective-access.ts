import { type Codec, decode, encode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";

/** One way of selecting a part of an attribute: the access selector and the Data of its parameters. */
export interface Selector<T> {
  /** `access-selector`: the number that the class gives this selection. */
  readonly selector: number;
  readonly codec: Codec<T>;
}

/** The selections of one attribute, by name. */
export type SelectiveAccessTable = Readonly<Record<string, Selector<unknown>>>;

/** A selection as a value: `{ kind: "entry", value: { fromEntry: 1, … } }`. */
export type SelectiveAccessValue<S extends SelectiveAccessTable> = {
  [K in keyof S]: { readonly kind: K; readonly value: S[K] extends Selector<infer T> ? T : never };
}[keyof S];

/** A selection as it travels: Selective-Access-Descriptor ::= SEQUENCE { access-selector Unsigned8, access-parameters Data }. */
export interface SelectiveAccessDescriptor {
  readonly selector: number;
  /** Encoded Data. */
  readonly parameters: Uint8Array;
}

/** Declares a selection of a class. */
export function selector<T>(number: number, codec: Codec<T>): Selector<T> {
  return { selector: number, codec };
}

/** Turns a typed selection into the descriptor that is sent. */
export function selectionToDescriptor(
  table: SelectiveAccessTable,
  selection: { readonly kind: PropertyKey; readonly value: unknown },
): SelectiveAccessDescriptor {
  const entry = table[String(selection.kind)];
  if (entry === undefined)
    throw new DlmsError("invalid-value", `this attribute has no selection "${String(selection.kind)}"`);
  return { selector: entry.selector, parameters: encode(entry.codec, selection.value) };
}

/**
 * Turns a received descriptor into a typed selection.
 *
 * @throws DecodeError when the parameters are not those of the selector.
 * @returns undefined when the attribute has no such selector.
 */
export function descriptorToSelection(
  table: SelectiveAccessTable,
  descriptor: SelectiveAccessDescriptor,
): { readonly kind: string; readonly value: unknown } | undefined {
  for (const kind in table) {
    const entry = table[kind] as Selector<unknown>;
    if (entry.selector === descriptor.selector) return { kind, value: decode(entry.codec, descriptor.parameters) };
  }
  return undefined;
}

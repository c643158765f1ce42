import type { Codec } from "../codec/codec.ts";
import type { SelectiveAccessTable, SelectiveAccessValue } from "./selective-access.ts";

/** One attribute of an interface class: its number, the Data it holds, and how parts of it can be selected. */
export interface Attribute<T, Selection extends SelectiveAccessTable = Record<never, never>> {
  readonly index: number;
  readonly codec: Codec<T>;
  readonly selection: Selection;
}

/** One method of an interface class: its number, its parameter and what it returns, if anything. */
export interface Method<Parameter, Result> {
  readonly index: number;
  readonly parameter: Codec<Parameter>;
  /** Absent where the class defines no return parameter. */
  readonly result: Codec<Result> | undefined;
}

export type Attributes = Readonly<Record<string, Attribute<unknown, SelectiveAccessTable>>>;
export type Methods = Readonly<Record<string, Method<unknown, unknown>>>;

/** The value of an attribute. */
export type AttributeValue<A> = A extends { readonly codec: Codec<infer T> } ? T : never;
/** The selections that an attribute knows: `{ kind, value }`. */
export type AttributeSelection<A> = A extends { readonly selection: infer S extends SelectiveAccessTable }
  ? SelectiveAccessValue<S>
  : never;
export type MethodParameter<M> = M extends { readonly parameter: Codec<infer P> } ? P : never;
export type MethodResult<M> = M extends { readonly result: Codec<infer R> | undefined } ? R : never;

/** The plain data of a class: its number and what it has, attribute 1 included. */
export interface ClassDeclaration<A extends Attributes = Attributes, M extends Methods = Methods> {
  /** `class_id`. */
  readonly id: number;
  readonly version: number;
  /** What the Blue Book calls it: `Profile generic`. */
  readonly name: string;
  /** What is added to the base name for method 1 with short-name referencing; undefined where the class has no methods. */
  readonly methodOffset: number | undefined;
  readonly attributes: A & WithLogicalName;
  readonly methods: M;
}

/** Attribute 1, which every class has. */
export type WithLogicalName = {
  readonly logicalName: Attribute<string>;
};

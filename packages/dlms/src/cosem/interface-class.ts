import type { Codec } from "../codec/codec.ts";
import { logicalNameData } from "./logical-name-data.ts";
import { noParameter } from "./no-parameter.ts";
import type { SelectiveAccessTable, SelectiveAccessValue } from "./selective-access.ts";
import { type Handlers, serveClass } from "./serve.ts";
import type { ServedClass } from "./served.ts";

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

/**
 * A COSEM interface class, declared once (Blue Book clause 4): the typed client and the server are both made from it.
 *
 * Attribute 1, `logicalName`, belongs to every class and is added by `interfaceClass`.
 */
export interface InterfaceClass<A extends Attributes = Attributes, M extends Methods = Methods> {
  /** `class_id`. */
  readonly id: number;
  readonly version: number;
  readonly attributes: A & WithLogicalName;
  readonly methods: M;
  /**
   * Makes the server's side of the class from plain functions. Each gets the state of the meter it runs for, so one
   * served class is shared by any number of meters and objects.
   */
  serve<State = unknown>(handlers: Handlers<A, M, State>): ServedClass<State>;
}

export interface WithLogicalName {
  readonly logicalName: Attribute<string>;
}

/** Declares attribute `index` (from 2; 1 is the logical name). */
export function attribute<T, S extends SelectiveAccessTable = Record<never, never>>(
  index: number,
  codec: Codec<T>,
  selection?: S,
): Attribute<T, S> {
  return { index, codec, selection: selection ?? ({} as S) };
}

/** Declares a method that only wants to be called: its parameter is `integer (0)`. */
export function method(index: number): Method<undefined, undefined>;
/** Declares a method with a parameter and, where `result` is given, a return value. */
export function method<P, R = undefined>(index: number, parameter: Codec<P>, result?: Codec<R>): Method<P, R>;
export function method<P, R>(index: number, parameter?: Codec<P>, result?: Codec<R>): Method<P | undefined, R> {
  return { index, parameter: (parameter ?? noParameter) as Codec<P | undefined>, result };
}

const logicalName: Attribute<string> = attribute(1, logicalNameData);

/** Declares an interface class; see `InterfaceClass`. */
export function interfaceClass<A extends Attributes, M extends Methods = Record<never, never>>(declaration: {
  readonly id: number;
  readonly version: number;
  readonly attributes: A;
  readonly methods?: M;
}): InterfaceClass<A, M> {
  const attributes: A & WithLogicalName = { logicalName, ...declaration.attributes };
  const methods = declaration.methods ?? ({} as M);
  const { id, version } = declaration;
  const declared: InterfaceClass<A, M> = {
    id,
    version,
    attributes,
    methods,
    serve: (handlers) => serveClass(declared, handlers),
  };
  return declared;
}

import type { Codec } from "../codec/codec.ts";
import { SHORT_NAME_STEP } from "../xdlms/referencing.ts";
import type { Attribute, Attributes, ClassDeclaration, Method, Methods, WithLogicalName } from "./class-declaration.ts";
import { logicalNameData } from "./logical-name-data.ts";
import { noParameter } from "./no-parameter.ts";
import type { SelectiveAccessTable } from "./selective-access.ts";
import { type Handlers, serveClass } from "./serve.ts";
import type { ServedClass } from "./served.ts";

/**
 * A COSEM interface class, declared once (Blue Book clause 4): the typed client and the server are both made from it.
 *
 * Attribute 1, `logicalName`, belongs to every class and is added by `interfaceClass`.
 */
export interface InterfaceClass<A extends Attributes = Attributes, M extends Methods = Methods>
  extends ClassDeclaration<A, M> {
  /**
   * Makes the server's side of the class from plain functions. Each gets the state of the meter it runs for, so one
   * served class is shared by any number of meters and objects.
   */
  serve<State = unknown>(handlers: Handlers<A, M, State>): ServedClass<State>;
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
  readonly name: string;
  readonly attributes: A;
  readonly methods?: M;
  /** Where short-name referencing finds method 1; unless given, right behind the attributes. */
  readonly methodOffset?: number;
}): InterfaceClass<A, M> {
  const attributes: A & WithLogicalName = { logicalName, ...declaration.attributes };
  const methods = declaration.methods ?? ({} as M);
  const { id, version, name } = declaration;
  const { methodOffset = offsetBehind(attributes) } = declaration;
  const declared: InterfaceClass<A, M> = {
    id,
    version,
    name,
    attributes,
    methods,
    methodOffset: Object.keys(methods).length === 0 ? undefined : methodOffset,
    serve: (handlers) => serveClass(declared, handlers),
  };
  return declared;
}

function offsetBehind(attributes: Attributes): number {
  return SHORT_NAME_STEP * Math.max(...Object.values(attributes).map(({ index }) => index));
}

import type { Codec } from "../codec/codec.ts";
import { DecodeError } from "../errors.ts";
import type {
  Attribute,
  AttributeSelection,
  Attributes,
  AttributeValue,
  ClassDeclaration,
  Method,
  MethodParameter,
  MethodResult,
  Methods,
} from "./class-declaration.ts";
import { EncodedData } from "./encoded-data.ts";
import { noParameter } from "./no-parameter.ts";
import { AccessRefusal } from "./refusal.ts";
import { descriptorToSelection, type SelectiveAccessTable } from "./selective-access.ts";
import type { ServeContext, ServedAttribute, ServedClass, ServedMethod, ServedResult } from "./served.ts";

type GetHandler<Value, Selection, State> = (
  state: State,
  context: ServeContext,
  selection: Selection | undefined,
) => Value | EncodedData | AccessRefusal;
// Whatever else than a refusal is returned is ignored, so that `(value) => list.push(value)` may stand here.
type SetHandler<Value, State> = (value: Value, state: State, context: ServeContext) => unknown;
type SetPartHandler<Value, Selection, State> = (
  value: Value,
  selection: Selection,
  state: State,
  context: ServeContext,
) => unknown;
type CallHandler<Parameter, Result, State> = (
  parameter: Parameter,
  state: State,
  context: ServeContext,
) => undefined extends Result ? unknown : Result | EncodedData | AccessRefusal;

/**
 * What the server does for each attribute and method. What has no handler does not exist for clients: a read without
 * `get` is refused as `object-undefined`, a write without `set` as `read-write-denied`.
 *
 * A handler returns the value, `refuse("temporary-failure")`, or octets encoded before (`encodedData`).
 */
export interface Handlers<A extends Attributes, M extends Methods, State> {
  readonly get?: { readonly [K in keyof A]?: GetHandler<AttributeValue<A[K]>, AttributeSelection<A[K]>, State> };
  readonly set?: { readonly [K in keyof A]?: SetHandler<AttributeValue<A[K]>, State> };
  /**
   * Writes the part of an attribute that a selection of its class names. Without it a write with selective access is
   * refused as `scope-of-access-violated`: to write all of the attribute instead would be wrong.
   */
  readonly setPart?: {
    readonly [K in keyof A]?: SetPartHandler<AttributeValue<A[K]>, AttributeSelection<A[K]>, State>;
  };
  readonly call?: { readonly [K in keyof M]?: CallHandler<MethodParameter<M[K]>, MethodResult<M[K]>, State> };
}

type AnyHandlers<State> = {
  readonly get?: Readonly<Record<string, GetHandler<unknown, unknown, State> | undefined>>;
  readonly set?: Readonly<Record<string, SetHandler<unknown, State> | undefined>>;
  readonly setPart?: Readonly<Record<string, SetPartHandler<unknown, unknown, State> | undefined>>;
  readonly call?: Readonly<Record<string, CallHandler<unknown, unknown, State> | undefined>>;
};

/** Folds typed handlers into a class that works on octets. */
export function serveClass<State>(declared: ClassDeclaration, handlers: object): ServedClass<State> {
  const { get, set, setPart, call } = handlers as AnyHandlers<State>;
  const attributes: (ServedAttribute<State> | undefined)[] = [];
  for (const [name, attribute] of Object.entries(declared.attributes))
    attributes[attribute.index] =
      attribute.index === 1
        ? serveAttribute(attribute, { get: (_, context) => context.logicalName })
        : serveAttribute(attribute, { get: get?.[name], set: set?.[name], setPart: setPart?.[name] });
  const methods: (ServedMethod<State> | undefined)[] = [];
  for (const [name, method] of Object.entries(declared.methods))
    methods[method.index] = serveMethod(method, call?.[name]);
  const { id: classId, version, methodOffset } = declared;
  return { classId, version, attributes, methods, methodOffset };
}

interface AttributeHandlers<State> {
  readonly get?: GetHandler<unknown, unknown, State> | undefined;
  readonly set?: SetHandler<unknown, State> | undefined;
  readonly setPart?: SetPartHandler<unknown, unknown, State> | undefined;
}

function serveAttribute<State>(
  attribute: Attribute<unknown, SelectiveAccessTable>,
  { get, set, setPart }: AttributeHandlers<State>,
): ServedAttribute<State> {
  const { index, codec, selection: table } = attribute;
  const served: ServedAttribute<State> = {
    index,
    readable: get !== undefined,
    writable: set !== undefined || setPart !== undefined,
    selectors: Object.values(table).map((entry) => entry.selector),
    read(writer, state, context, descriptor) {
      if (get === undefined) return "object-undefined";
      let selection: unknown;
      if (descriptor !== undefined) {
        selection = orUndefined(() => descriptorToSelection(table, descriptor));
        if (selection === undefined) return "scope-of-access-violated";
      }
      const value = get(state, context, selection);
      if (value instanceof AccessRefusal) return value.reason;
      if (value instanceof EncodedData) writer.octets(value.octets);
      else codec.encode(writer, value);
      return "success";
    },
    write(reader, state, context) {
      if (set === undefined) return "read-write-denied";
      const value = decodeAll(codec, reader);
      if (value === MISMATCH) return "type-unmatched";
      return resultOf(set(value, state, context));
    },
  };
  if (setPart === undefined) return served;
  return {
    ...served,
    writePart(reader, state, context, descriptor) {
      const selection = orUndefined(() => descriptorToSelection(table, descriptor));
      if (selection === undefined) return "scope-of-access-violated";
      const value = decodeAll(codec, reader);
      return value === MISMATCH ? "type-unmatched" : resultOf(setPart(value, selection, state, context));
    },
  };
}

function resultOf(returned: unknown): ServedResult {
  return returned instanceof AccessRefusal ? returned.reason : "success";
}

function serveMethod<State>(
  method: Method<unknown, unknown>,
  call: CallHandler<unknown, unknown, State> | undefined,
): ServedMethod<State> {
  const { index, parameter: codec, result: resultCodec } = method;
  return {
    index,
    callable: call !== undefined,
    invoke(reader, writer, state, context) {
      if (call === undefined) return "object-undefined";
      if (reader === undefined && codec !== noParameter) return "type-unmatched";
      const parameter = reader === undefined ? undefined : decodeAll(codec, reader);
      if (parameter === MISMATCH) return "type-unmatched";
      const result = call(parameter, state, context);
      if (result instanceof AccessRefusal) return result.reason;
      if (result instanceof EncodedData) writer.octets(result.octets);
      else if (resultCodec !== undefined) resultCodec.encode(writer, result);
      return "success";
    },
  };
}

const MISMATCH = Symbol("the Data does not fit the declaration");

function decodeAll<T>(codec: Codec<T>, reader: Parameters<Codec<T>["decode"]>[0]): T | typeof MISMATCH {
  try {
    const value = codec.decode(reader);
    return reader.remaining === 0 ? value : MISMATCH;
  } catch (error) {
    if (error instanceof DecodeError) return MISMATCH;
    throw error;
  }
}

function orUndefined<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

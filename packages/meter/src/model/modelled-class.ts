import {
  type AnyInterfaceClass,
  attributeNumbered,
  type Data,
  DecodeError,
  data,
  decode,
  interfaceClassOf,
  Reader,
  type ServedAttribute,
  type ServedClass,
} from "@meterkeep/dlms";
import { initialValue } from "./initial-value.ts";
import type { ModelledAttribute, ModelledObject } from "./model-file.ts";
import type { ModelState } from "./model-state.ts";

/** An object of a model, ready to be served. */
export interface PreparedObject {
  readonly object: ModelledObject;
  readonly declared: AnyInterfaceClass | undefined;
  readonly attributes: readonly ModelledAttribute[];
  readonly served: ServedClass<ModelState>;
  /** What is served raw, and why: a sentence each. */
  readonly notices: readonly string[];
}

/**
 * Serves an object of a model: what its class `behaves` like where there is such a behaviour, else values that can be
 * read and written as the model says. Attributes that the class does not declare, and objects of unknown classes, are
 * raw Data.
 */
export function modelledClass(object: ModelledObject, behaviour: ServedClass<ModelState> | undefined): PreparedObject {
  const declared = interfaceClassOf(object.classId, object.version);
  const notices: string[] = [];
  const where = `${object.logicalName} (class ${object.classId} version ${object.version})`;
  if (declared === undefined) notices.push(`${where}: the class is not known; all its attributes are raw`);
  const attributes = attributesOf(object, declared);
  const served: (ServedAttribute<ModelState> | undefined)[] = [];
  for (const attribute of attributes) {
    const { index } = attribute;
    const own = declared === undefined ? undefined : attributeNumbered(declared, index);
    const initial = initialValue(object, index, own);
    if (initial.deviation !== undefined && declared !== undefined)
      notices.push(`${where} attribute ${index}: ${initial.deviation}; raw`);
    served[index] =
      restricted(behaviour?.attributes[index], attribute) ??
      storedAttribute(object, attribute, initial.octets, initial.deviation === undefined ? own : undefined);
  }
  return {
    object,
    declared,
    attributes,
    notices,
    served: {
      classId: object.classId,
      version: object.version,
      attributes: served,
      methods: behaviour?.methods ?? [],
      methodOffset: declared?.methodOffset,
    },
  };
}

/** Models of short-name meters name only what differs from the class. */
function attributesOf(object: ModelledObject, declared: AnyInterfaceClass | undefined): readonly ModelledAttribute[] {
  const given = object.attributes ?? [];
  const whole = object.attributes === undefined || object.baseName !== undefined;
  const named = whole ? Object.values(declared?.attributes ?? {}).map(({ index }) => index) : [];
  const indexes = new Set([1, ...named, ...given.map(({ index }) => index)]);
  return [...indexes]
    .sort((a, b) => a - b)
    .map(
      (index) =>
        given.find((attribute) => attribute.index === index) ?? {
          index,
          readable: true,
          writable: index !== 1,
          type: undefined,
        },
    );
}

/** An attribute of a behaviour within the rights of the model; undefined where the behaviour has no such attribute. */
function restricted(
  served: ServedAttribute<ModelState> | undefined,
  { readable, writable }: ModelledAttribute,
): ServedAttribute<ModelState> | undefined {
  if (served === undefined || !served.readable) return undefined;
  return { ...served, readable: readable && served.readable, writable: writable && served.writable };
}

function storedAttribute(
  object: ModelledObject,
  { index, readable, writable }: ModelledAttribute,
  initial: Uint8Array,
  declared: { readonly codec: { decode(reader: Reader): unknown } } | undefined,
): ServedAttribute<ModelState> {
  const key = `${object.classId} ${object.logicalName} ${index}`;
  const mayWrite = writable && index !== 1;
  return {
    index,
    readable,
    writable: mayWrite,
    selectors: [],
    read(writer, meter, _, selection) {
      if (!readable) return "read-write-denied";
      if (selection !== undefined) return "scope-of-access-violated";
      writer.octets(meter.written(key) ?? initial);
      return "success";
    },
    write(reader, meter) {
      if (!mayWrite) return "read-write-denied";
      const octets = reader.octets(reader.remaining);
      const value = asData(octets);
      if (value === undefined || !isA(declared, octets)) return "type-unmatched";
      meter.keep(key, octets.slice());
      return "success";
    },
  };
}

function asData(octets: Uint8Array): Data | undefined {
  return attempt(() => decode(data, octets));
}

function isA(
  declared: { readonly codec: { decode(reader: Reader): unknown } } | undefined,
  octets: Uint8Array,
): boolean {
  if (declared === undefined) return true;
  return (
    attempt(() => {
      declared.codec.decode(new Reader(octets));
      return true;
    }) ?? false
  );
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

import { decode, encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import type { ServeContext, ServedClass, ServedResult } from "../cosem/served.ts";
import type { AttributeReference, CaptureObject } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import { type Data, NULL_DATA } from "../data/value.ts";

/** An object as the meter itself reaches it. */
export interface TreeObject<State> {
  readonly logicalName: LogicalName;
  readonly served: ServedClass<State>;
}

/** The name that handlers see when the meter itself asks: no client has it. */
const OWN_ASSOCIATION = "meter";

/**
 * The objects of one meter, for the meter's own use: what profiles capture, scripts run and monitors watch. Access
 * rights are for clients; here only what has no handler is out of reach.
 */
export class ObjectTree<State> {
  readonly #objects: ReadonlyMap<string, TreeObject<State>>;
  readonly #state: State;

  constructor(objects: Iterable<TreeObject<State>>, state: State) {
    this.#objects = new Map([...objects].map((object) => [keyOf(object.served.classId, object.logicalName), object]));
    this.#state = state;
  }

  /** The value of an attribute as encoded Data; undefined where there is none to be had. */
  read(
    { classId, logicalName, attributeIndex }: AttributeReference,
    selection?: SelectiveAccessDescriptor,
  ): Uint8Array | undefined {
    const object = this.#objects.get(keyOf(classId, logicalName));
    const attribute = object?.served.attributes[attributeIndex];
    if (object === undefined || attribute === undefined) return undefined;
    const writer = new Writer();
    const result = attribute.read(writer, this.#state, contextFor(object), selection);
    return result === "success" ? writer.finish() : undefined;
  }

  /**
   * What a capture object stands for: the attribute, or with `dataIndex` one element of its structure or array, as
   * encoded Data; null-data where there is none.
   */
  capture(column: CaptureObject, selection?: SelectiveAccessDescriptor): Uint8Array {
    const octets = this.read(column, selection);
    if (octets === undefined) return encode(data, NULL_DATA);
    return column.dataIndex === 0 ? octets : encode(data, elementOf(decode(data, octets), column.dataIndex));
  }

  /** Writes an attribute from one encoded Data value. */
  write({ classId, logicalName, attributeIndex }: AttributeReference, value: Uint8Array): ServedResult {
    const object = this.#objects.get(keyOf(classId, logicalName));
    const attribute = object?.served.attributes[attributeIndex];
    if (object === undefined || attribute === undefined) return "object-undefined";
    return attribute.write(new Reader(value), this.#state, contextFor(object));
  }

  /** Calls a method with one encoded Data value; what it returns is dropped. */
  call(classId: number, logicalName: string, methodIndex: number, parameter: Uint8Array): ServedResult {
    const object = this.#objects.get(keyOf(classId, logicalName));
    const method = object?.served.methods[methodIndex];
    if (object === undefined || method === undefined) return "object-undefined";
    return method.invoke(new Reader(parameter), new Writer(), this.#state, contextFor(object));
  }
}

function elementOf(value: Data, index: number): Data {
  if (value.type !== "structure" && value.type !== "array") return NULL_DATA;
  return value.value[index - 1] ?? NULL_DATA;
}

function contextFor<State>({ logicalName }: TreeObject<State>): ServeContext {
  return { logicalName, association: OWN_ASSOCIATION, clientSap: 0 };
}

function keyOf(classId: number, logicalName: string): string {
  return `${classId} ${logicalName}`;
}

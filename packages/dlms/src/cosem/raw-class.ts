import { d } from "../data/d.ts";
import type { Data } from "../data/value.ts";
import type { Attribute, Method } from "./class-declaration.ts";
import { attribute, type InterfaceClass, interfaceClass, method } from "./interface-class.ts";

/** A class whose attributes are Data of any type: `attribute2`, `method1` … */
export type RawClass = InterfaceClass<
  Readonly<Record<string, Attribute<Data>>>,
  Readonly<Record<string, Method<Data, Data>>>
>;

/**
 * A class that nobody has declared, as far as its numbers tell: what a maker or a new edition adds stays readable and
 * writable as it is, without names.
 */
export function rawClass(classId: number, version: number, members: RawMembers): RawClass {
  return interfaceClass({
    id: classId,
    version,
    name: `Class ${classId}`,
    attributes: Object.fromEntries(
      members.attributes
        .filter((index) => index !== 1)
        .map((index): [string, Attribute<Data>] => [`attribute${index}`, attribute(index, d.any)]),
    ),
    methods: Object.fromEntries(
      (members.methods ?? []).map((index): [string, Method<Data, Data>] => [
        `method${index}`,
        method(index, d.any, d.any),
      ]),
    ),
  });
}

/** The numbers that an object list or a model gives. */
export interface RawMembers {
  readonly attributes: readonly number[];
  readonly methods?: readonly number[];
}

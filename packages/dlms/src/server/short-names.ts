import { DlmsError } from "../errors.ts";
import { ASSOCIATION_BASE_NAME, attributeShortName, methodShortName, SHORT_NAME_STEP } from "../xdlms/referencing.ts";
import type { ModelObject, ReachableObject } from "./model-object.ts";

/** What a short name stands for: an attribute or a method, by its index. */
export interface ShortNamed<State> {
  readonly kind: "attribute" | "method";
  readonly object: ReachableObject<State>;
  readonly index: number;
}

/** The members of all objects of an association, by short name. */
export type ShortNames<State> = ReadonlyMap<number, ShortNamed<State>>;

/** The first base name given to objects that have none of their own. */
const FIRST_BASE_NAME = 0x0100;
const HIGHEST_NAME = 0xffff;

/** Gives a base name to each object that has none: the next where all its members find room. */
export function withBaseNames<State>(objects: readonly ModelObject<State>[]): readonly ModelObject<State>[] {
  const taken = new Set<number>();
  for (const object of objects)
    if (object.baseName !== undefined) for (const { name } of membersOf(object, object.baseName)) taken.add(name);
  let next = FIRST_BASE_NAME;
  return objects.map((object) => {
    if (object.baseName !== undefined) return object;
    while (membersOf(object, next).some(({ name }) => taken.has(name))) next += SHORT_NAME_STEP;
    const baseName = next;
    for (const { name } of membersOf(object, baseName)) {
      taken.add(name);
      next = Math.max(next, name + SHORT_NAME_STEP);
    }
    return { ...object, baseName };
  });
}

/** All names of an association. @throws DlmsError `invalid-value` where they overlap or run out. */
export function shortNames<State>(objects: Iterable<ReachableObject<State>>): ShortNames<State> {
  const names = new Map<number, ShortNamed<State>>();
  for (const object of objects) {
    const { baseName = ASSOCIATION_BASE_NAME } = object;
    for (const { name, kind, index } of membersOf(object, baseName)) {
      if (names.has(name) || name > HIGHEST_NAME)
        throw new DlmsError("invalid-value", `${object.logicalName} has no room at base name ${baseName}`);
      names.set(name, { kind, object, index });
    }
  }
  return names;
}

interface Member {
  readonly name: number;
  readonly kind: "attribute" | "method";
  readonly index: number;
}

function membersOf<State>({ served }: ModelObject<State>, baseName: number): readonly Member[] {
  const { attributes, methods, methodOffset } = served;
  const members: Member[] = [];
  for (const attribute of attributes)
    if (attribute !== undefined)
      members.push({
        name: attributeShortName(baseName, attribute.index),
        kind: "attribute",
        index: attribute.index,
      });
  for (const method of methods)
    if (method !== undefined && methodOffset !== undefined)
      members.push({
        name: methodShortName(baseName, methodOffset, method.index),
        kind: "method",
        index: method.index,
      });
  return members;
}

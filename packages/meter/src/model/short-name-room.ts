import { ASSOCIATION_BASE_NAME, type ServedClass, SHORT_NAME_STEP } from "@meterkeep/dlms";
import type { PreparedObject } from "./modelled-class.ts";

const HIGHEST_NAME = 0xffff;
/** Short names behind its base name that association SN needs, in any version. */
const ASSOCIATION_NAMES = 16;

/**
 * Makes objects fit their base names. An object whose base name is taken gets another one; attributes and methods whose
 * short name is another object's are left out, as their classes may have grown since the meter was made. Notices name each.
 */
export function fitShortNames(objects: readonly PreparedObject[]): readonly PreparedObject[] {
  const taken = new Set(
    Array.from({ length: ASSOCIATION_NAMES }, (_, at) => ASSOCIATION_BASE_NAME + at * SHORT_NAME_STEP),
  );
  // All base names first: the name of an object comes before the attributes of another.
  const placed = objects.map((prepared): PreparedObject => {
    const { baseName, logicalName } = prepared.object;
    if (baseName === undefined) return prepared;
    if (!taken.has(baseName)) {
      taken.add(baseName);
      return prepared;
    }
    const notice = `${logicalName}: its short name ${baseName} is another object's; it has a free one instead`;
    return {
      ...prepared,
      object: { ...prepared.object, baseName: undefined },
      notices: [...prepared.notices, notice],
    };
  });
  return placed.map((prepared) => {
    const { baseName, logicalName } = prepared.object;
    if (baseName === undefined) return { ...prepared, served: consistent(prepared.served) };
    const isFree = (name: number): boolean => {
      const free = name === baseName || (name <= HIGHEST_NAME && !taken.has(name));
      if (free) taken.add(name);
      return free;
    };
    const served = within(prepared.served, baseName, isFree);
    const lost = prepared.attributes.filter(({ index }) => served.attributes[index] === undefined);
    return {
      ...prepared,
      served,
      attributes: prepared.attributes.filter((attribute) => !lost.includes(attribute)),
      notices: [
        ...prepared.notices,
        ...lost.map(({ index }) => `${logicalName} attribute ${index}: its short name is another object's; left out`),
      ],
    };
  });
}

/** Wherever it comes to stand, an attribute that its class does not declare must not have the name of a method. */
function consistent<State>(served: ServedClass<State>): ServedClass<State> {
  const own = new Set<number>();
  return within(served, 0, (name) => !own.has(name) && own.add(name).size > 0);
}

function within<State>(
  served: ServedClass<State>,
  baseName: number,
  isFree: (name: number) => boolean,
): ServedClass<State> {
  const { methodOffset } = served;
  return {
    ...served,
    attributes: served.attributes.map((attribute) =>
      attribute !== undefined && isFree(baseName + (attribute.index - 1) * SHORT_NAME_STEP) ? attribute : undefined,
    ),
    methods: served.methods.map((method) =>
      method !== undefined &&
      methodOffset !== undefined &&
      isFree(baseName + methodOffset + (method.index - 1) * SHORT_NAME_STEP)
        ? method
        : undefined,
    ),
  };
}

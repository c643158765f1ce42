import { type ServedClass, SHORT_NAME_STEP } from "@meterkeep/dlms";
import type { PreparedObject } from "./modelled-class.ts";

const HIGHEST_NAME = 0xffff;

/**
 * Makes objects fit their base names: attributes and methods whose short name belongs to the next object are left out, as
 * their classes have grown since the meter was made. Each attribute left out is named in a notice.
 */
export function fitShortNames(objects: readonly PreparedObject[]): readonly PreparedObject[] {
  const bases = objects.flatMap(({ object }) => object.baseName ?? []).sort((a, b) => a - b);
  return objects.map((prepared) => {
    const { baseName, logicalName } = prepared.object;
    if (baseName === undefined) return prepared;
    const room = (bases.find((base) => base > baseName) ?? HIGHEST_NAME + 1) - baseName;
    const lost = prepared.attributes.filter(({ index }) => (index - 1) * SHORT_NAME_STEP >= room);
    return {
      ...prepared,
      attributes: prepared.attributes.filter((attribute) => !lost.includes(attribute)),
      served: within(prepared.served, room),
      notices: [
        ...prepared.notices,
        ...lost.map(({ index }) => `${logicalName} attribute ${index}: its short name is another object's; left out`),
      ],
    };
  });
}

function within<State>(served: ServedClass<State>, room: number): ServedClass<State> {
  const { methodOffset } = served;
  return {
    ...served,
    attributes: served.attributes.map((attribute) =>
      attribute !== undefined && (attribute.index - 1) * SHORT_NAME_STEP < room ? attribute : undefined,
    ),
    methods: served.methods.map((method) =>
      method !== undefined && methodOffset !== undefined && methodOffset + (method.index - 1) * SHORT_NAME_STEP < room
        ? method
        : undefined,
    ),
  };
}

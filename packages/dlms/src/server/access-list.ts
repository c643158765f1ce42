import { attributeModeBeforeV3, methodModeBeforeV3 } from "./access.ts";
import type { ReachableObject } from "./model-object.ts";

/** attribute_access_descriptor (Blue Book 4.4.3 and 4.4.4). */
export interface AttributeAccess {
  readonly attributeId: number;
  readonly accessMode: number;
  readonly accessSelectors: readonly number[] | null;
}

/** What an association may do with an object, as object lists write it: modes as `bits`, or numbered as before. */
export function accessList<State>(
  { served, modes }: ReachableObject<State>,
  bits: boolean,
): {
  readonly attributeAccess: AttributeAccess[];
  readonly methodAccess: { readonly methodId: number; readonly accessMode: number }[];
} {
  return {
    attributeAccess: served.attributes.flatMap((attribute) => {
      if (attribute === undefined) return [];
      const mode = modes.attributes[attribute.index] ?? 0;
      return {
        attributeId: attribute.index,
        accessMode: bits ? mode : attributeModeBeforeV3(mode),
        accessSelectors: attribute.selectors.length === 0 ? null : attribute.selectors,
      };
    }),
    methodAccess: served.methods.flatMap((method) => {
      if (method === undefined) return [];
      const mode = modes.methods[method.index] ?? 0;
      return { methodId: method.index, accessMode: bits ? mode : methodModeBeforeV3(mode) };
    }),
  };
}

import type { Attribute, Method } from "./class-declaration.ts";
import type { SelectiveAccessTable } from "./selective-access.ts";

/**
 * An interface class whose members are looked up by name or number and not known to the compiler: entries of a registry,
 * classes put together at run time.
 */
export interface AnyInterfaceClass {
  readonly id: number;
  readonly version: number;
  readonly name: string;
  readonly attributes: Readonly<Record<string, Attribute<unknown, SelectiveAccessTable>>>;
  readonly methods: Readonly<Record<string, Method<unknown, unknown>>>;
  readonly methodOffset: number | undefined;
}

/** An attribute with its name. */
export type NamedAttribute = Attribute<unknown, SelectiveAccessTable> & { readonly name: string };
/** A method with its name. */
export type NamedMethod = Method<unknown, unknown> & { readonly name: string };

/** The attribute of the number, with its name. */
export function attributeNumbered(declared: AnyInterfaceClass, index: number): NamedAttribute | undefined {
  for (const [name, attribute] of Object.entries(declared.attributes))
    if (attribute.index === index) return { name, ...attribute };
  return undefined;
}

/** The method of the number, with its name. */
export function methodNumbered(declared: AnyInterfaceClass, index: number): NamedMethod | undefined {
  for (const [name, method] of Object.entries(declared.methods)) if (method.index === index) return { name, ...method };
  return undefined;
}

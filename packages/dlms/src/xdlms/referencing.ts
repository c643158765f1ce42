/** How the objects of an association are named: by logical names, or by short names that its object list gives. */
export type Referencing = "logical-name" | "short-name";

/** The base name of the current association SN (Blue Book 4.1.4). */
export const ASSOCIATION_BASE_NAME = 0xfa00;
/** Short names go in steps of 8: attribute 1 is the base name itself (Blue Book 4.1.3). */
export const SHORT_NAME_STEP = 8;

/** The name of the application context (Green Book 9.4.2.2.2). */
export function applicationContext(referencing: Referencing, ciphered: boolean) {
  return ciphered ? (`${referencing}-ciphered` as const) : referencing;
}

/** The short name of an attribute. */
export function attributeShortName(baseName: number, attributeId: number): number {
  return baseName + SHORT_NAME_STEP * (attributeId - 1);
}

/** The short name of a method; `methodOffset` is what the class adds for method 1. */
export function methodShortName(baseName: number, methodOffset: number, methodId: number): number {
  return baseName + methodOffset + SHORT_NAME_STEP * (methodId - 1);
}

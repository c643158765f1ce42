import type { LogicalName } from "../cosem/logical-name.ts";
import type { ServedClass } from "../cosem/served.ts";

/** Which attributes or methods of an object, by number. */
export type Members = "all" | "none" | readonly number[];

/** Protection that a request must have had, beyond what the security policy asks for anyway. */
export type RequiredProtection = "authenticated" | "encrypted";

/** What an association may do with one object. What the object has no handler for stays out of reach all the same. */
export interface ObjectAccess {
  readonly read?: Members;
  readonly write?: Members;
  readonly call?: Members;
  readonly require?: readonly RequiredProtection[];
}

/** One object as an access rule sees it. */
export interface AccessSubject {
  readonly classId: number;
  readonly version: number;
  readonly logicalName: LogicalName;
}

/** The rights of an association: undefined means that the object does not exist for it. */
export type AccessRule = (subject: AccessSubject) => ObjectAccess | undefined;

/** Everything that has a handler. */
export const fullAccess: AccessRule = () => ({ read: "all", write: "all", call: "all" });

/** Everything may be read, nothing changed. */
export const readOnly: AccessRule = () => ({ read: "all" });

/** Only these objects, read only: what a public client sees. */
export function onlyReading(...logicalNames: readonly string[]): AccessRule {
  const names = new Set(logicalNames);
  return ({ logicalName }) => (names.has(logicalName) ? { read: "all" } : undefined);
}

/**
 * Bits of an access mode, as association LN version 3 writes them (Blue Book 4.4.4). For methods bit 0 is the right
 * to call. Bits 5 to 7, protection of the response, follow the security policy here and are never set.
 */
export const ACCESS_MODE = {
  read: 0x01,
  call: 0x01,
  write: 0x02,
  authenticatedRequest: 0x04,
  encryptedRequest: 0x08,
} as const;

/** The access modes of one object, by attribute and method index. */
export interface AccessModes {
  readonly attributes: Uint8Array;
  readonly methods: Uint8Array;
}

/** Works out the modes once, when the model is built, so that a request costs one look-up. */
export function accessModes<State>(served: ServedClass<State>, access: ObjectAccess): AccessModes {
  const required = (access.require ?? []).reduce(
    (bits, name) => bits | (name === "encrypted" ? ACCESS_MODE.encryptedRequest : ACCESS_MODE.authenticatedRequest),
    0,
  );
  const attributes = new Uint8Array(served.attributes.length);
  for (const attribute of served.attributes) {
    if (attribute === undefined) continue;
    const { index, readable, writable } = attribute;
    const may =
      (readable && includes(access.read, index) ? ACCESS_MODE.read : 0) |
      (writable && includes(access.write, index) ? ACCESS_MODE.write : 0);
    attributes[index] = may === 0 ? 0 : may | (index === 1 ? 0 : required);
  }
  const methods = new Uint8Array(served.methods.length);
  for (const method of served.methods) {
    if (method === undefined) continue;
    const may = method.callable && includes(access.call, method.index);
    methods[method.index] = may ? ACCESS_MODE.call | required : 0;
  }
  return { attributes, methods };
}

function includes(members: Members | undefined, index: number): boolean {
  if (members === undefined || members === "none") return false;
  return members === "all" || members.includes(index);
}

/** An attribute's mode in the numbers of versions 0 to 2: 0 none, 1 read, 2 write, 3 both, 4 to 6 the same authenticated. */
export function attributeModeBeforeV3(mode: number): number {
  const rights = mode & (ACCESS_MODE.read | ACCESS_MODE.write);
  return rights !== 0 && (mode & ACCESS_MODE.authenticatedRequest) !== 0 ? rights + 3 : rights;
}

/** A method's mode in the numbers of versions 1 and 2: 0 none, 1 call, 2 authenticated call. */
export function methodModeBeforeV3(mode: number): number {
  const right = mode & ACCESS_MODE.call;
  return right !== 0 && (mode & ACCESS_MODE.authenticatedRequest) !== 0 ? 2 : right;
}

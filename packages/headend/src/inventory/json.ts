// Small readers for files of JSON that other processes write: each says which field is wrong.

/** Reads a part of a file; what it throws names `path` first. */
export function within<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}`, { cause });
  }
}

/** @throws Error naming `path` when it is not an object. */
export function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${path} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

export function stringAt(object: Readonly<Record<string, unknown>>, name: string): string {
  const value = object[name];
  if (typeof value !== "string" || value === "") throw new Error(`"${name}" is not a text`);
  return value;
}

export function numberAt(object: Readonly<Record<string, unknown>>, name: string): number {
  const value = object[name];
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`"${name}" is not a number`);
  return value;
}

export function arrayAt(object: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const value = object[name];
  if (!Array.isArray(value)) throw new Error(`"${name}" is not a list`);
  return value;
}

/** A system title as upper-case hex. */
export function titleAt(object: Readonly<Record<string, unknown>>, name: string): string {
  const value = stringAt(object, name);
  if (!/^[0-9A-F]{16}$/.test(value)) throw new Error(`"${name}" is no system title: ${value}`);
  return value;
}

/** Undefined where the field is absent or null. */
export function optionalAt<T>(
  object: Readonly<Record<string, unknown>>,
  name: string,
  read: (object: Readonly<Record<string, unknown>>, name: string) => T,
): T | undefined {
  return object[name] === undefined || object[name] === null ? undefined : read(object, name);
}

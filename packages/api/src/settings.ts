/**
 * A setting declared once: from the same value come its TypeScript type, the check of what was read, the command line
 * option and the row in docs/configuration.md.
 */
export type Setting = SettingKind & {
  /** A full sentence; it becomes help text and documentation. */
  readonly description: string;
  /** May be absent. */
  readonly optional?: true;
};

type SettingKind =
  | { readonly kind: "text" }
  | { readonly kind: "path" }
  | { readonly kind: "integer"; readonly unit: string; readonly minimum: number; readonly maximum: number }
  | { readonly kind: "number"; readonly unit: string; readonly minimum: number; readonly maximum: number }
  | { readonly kind: "flag" }
  | { readonly kind: "choice"; readonly of: readonly string[] }
  | { readonly kind: "record"; readonly fields: Settings }
  | { readonly kind: "list"; readonly of: SettingKind };

/** Settings by name. */
export type Settings = { readonly [name: string]: Setting };

type ValueOfKind<K> = K extends { kind: "text" | "path" }
  ? string
  : K extends { kind: "integer" | "number" }
    ? number
    : K extends { kind: "flag" }
      ? boolean
      : K extends { kind: "choice"; of: readonly (infer Name)[] }
        ? Name
        : K extends { kind: "record"; fields: infer Fields }
          ? SettingValues<Fields>
          : K extends { kind: "list"; of: infer Item }
            ? readonly ValueOfKind<Item>[]
            : never;

type OptionalNames<S> = { [N in keyof S]: S[N] extends { optional: true } ? N : never }[keyof S];

/** The values that fit a declaration, `SettingValues<typeof SERVER_CONFIG>`. */
export type SettingValues<S> = { readonly [N in Exclude<keyof S, OptionalNames<S>>]: ValueOfKind<S[N]> } & {
  readonly [N in OptionalNames<S>]?: ValueOfKind<S[N]>;
};

/** Every code of {@link SettingError}; docs/errors.md explains each one. */
export const SETTING_ERROR_CODES = ["setting-missing", "setting-invalid", "setting-unknown"] as const;
export type SettingErrorCode = (typeof SETTING_ERROR_CODES)[number];

/** A configuration does not fit its declaration; `path` names the setting. */
export class SettingError extends Error {
  override readonly name = "SettingError";
  readonly code: SettingErrorCode;
  readonly path: string;

  constructor(code: SettingErrorCode, path: string, message: string) {
    super(`${path}: ${message}`);
    this.code = code;
    this.path = path;
  }
}

/**
 * Checks plain data (parsed JSON) against a declaration and gives it its type.
 *
 * @throws {SettingError} for a setting that is missing, of the wrong kind, out of range, or not declared.
 */
export function parseSettings<const S extends Settings>(settings: S, data: unknown, path = "config"): SettingValues<S> {
  checkRecord(settings, data, path);
  return data as SettingValues<S>;
}

function checkRecord(settings: Settings, data: unknown, path: string): void {
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new SettingError("setting-invalid", path, "must be an object");
  }
  for (const name of Object.keys(data)) {
    if (!Object.hasOwn(settings, name))
      throw new SettingError("setting-unknown", `${path}.${name}`, "is not a setting");
  }
  for (const [name, setting] of Object.entries(settings)) {
    const value: unknown = Object.getOwnPropertyDescriptor(data, name)?.value;
    if (value !== undefined) checkValue(setting, value, `${path}.${name}`);
    else if (setting.optional !== true) throw new SettingError("setting-missing", `${path}.${name}`, "is missing");
  }
}

function checkValue(kind: SettingKind, value: unknown, path: string): void {
  const refuse = (message: string): void => {
    throw new SettingError("setting-invalid", path, message);
  };
  switch (kind.kind) {
    case "text":
    case "path":
      if (typeof value !== "string" || value === "") refuse("must be a text that is not empty");
      return;
    case "integer":
    case "number":
      if (typeof value !== "number" || !Number.isFinite(value) || value < kind.minimum || value > kind.maximum) {
        refuse(`must be a number from ${kind.minimum} to ${kind.maximum} (${kind.unit})`);
      }
      if (kind.kind === "integer" && !Number.isSafeInteger(value)) refuse("must be a whole number");
      return;
    case "flag":
      if (typeof value !== "boolean") refuse("must be true or false");
      return;
    case "choice":
      if (!kind.of.some((name) => name === value)) refuse(`must be one of ${kind.of.join(", ")}`);
      return;
    case "record":
      checkRecord(kind.fields, value, path);
      return;
    case "list":
      if (!Array.isArray(value)) throw new SettingError("setting-invalid", path, "must be a list");
      value.forEach((item, index) => {
        checkValue(kind.of, item, `${path}[${index}]`);
      });
      return;
    default:
      kind satisfies never;
  }
}

/** Says what is wrong with a value, or gives it its type. */
export interface Field<T> {
  (value: unknown): T | Wrong;
  /** What it wants, as plain data; absent where only the field itself knows. */
  readonly shape?: FieldShape;
}

/** What a field wants, so that forms can be made of it. */
export type FieldShape =
  | { readonly kind: "text"; readonly most: number }
  | { readonly kind: "pattern"; readonly pattern: string; readonly what: string }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "whole"; readonly min: number; readonly max: number }
  | { readonly kind: "truth" }
  /** A moment: RFC 3339 as text, or milliseconds since 1970 UTC. */
  | { readonly kind: "time"; readonly as: "text" | "milliseconds" }
  | { readonly kind: "list"; readonly min: number; readonly most: number; readonly of: FieldShape }
  | { readonly kind: "object"; readonly fields: readonly { readonly name: string; readonly of: FieldShape }[] }
  /** An object with one of these names. */
  | { readonly kind: "tagged"; readonly cases: readonly { readonly name: string; readonly of: FieldShape }[] }
  | { readonly kind: "optional"; readonly of: FieldShape };

/** Lets a fresh function be a field that says what it wants. */
export function shaped<T>(read: (value: unknown) => T | Wrong, shape: FieldShape | undefined): Field<T> {
  return shape === undefined ? read : Object.assign(read, { shape });
}

/** Why a value is not what its field wants. */
export class Wrong {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** The fields of an object by name, in the order in which they are written. */
export type FieldSet = Readonly<Record<string, Field<unknown>>>;
type ValueOf<F> = F extends Field<infer T> ? Exclude<T, Wrong> : never;
/** An object with just these fields; one whose field may be absent has `undefined` in its type. */
export type ObjectOf<F extends FieldSet> = { readonly [K in keyof F]: ValueOf<F[K]> };
/** What a field reads. */
export type FieldValue<F extends Field<unknown>> = ValueOf<F>;

/** Text of at most `max` characters. */
export function text(max: number): Field<string> {
  return shaped(
    (value) =>
      typeof value === "string" && value.length <= max ? value : new Wrong(`not a text of at most ${max} characters`),
    { kind: "text", most: max },
  );
}

/** Text that a pattern describes. */
export function matching(pattern: RegExp, what: string): Field<string> {
  return shaped((value) => (typeof value === "string" && pattern.test(value) ? value : new Wrong(`not ${what}`)), {
    kind: "pattern",
    pattern: pattern.source,
    what,
  });
}

/** Octets as lower-case hex, from `min` to `max` of them. */
export function hexOctets(min: number, max: number): Field<string> {
  const what = `${min} to ${max} octets as lower-case hex`;
  return shaped(
    (value) =>
      typeof value === "string" &&
      value.length >= 2 * min &&
      value.length <= 2 * max &&
      /^(?:[0-9a-f]{2})*$/.test(value)
        ? value
        : new Wrong(`not ${what}`),
    { kind: "pattern", pattern: `^(?:[0-9a-f]{2}){${min},${max}}$`, what },
  );
}

/** Exactly this value. */
export function exactly<const T extends string | number | boolean>(wanted: T): Field<T> {
  return (value) => (value === wanted ? wanted : new Wrong(`not ${JSON.stringify(wanted)}`));
}

/** One of these words. */
export function oneOf<const T extends readonly string[]>(words: T): Field<T[number]> {
  return shaped(
    (value) =>
      typeof value === "string" && words.includes(value) ? value : new Wrong(`not one of ${words.join(", ")}`),
    { kind: "words", words },
  );
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): Field<number> {
  return shaped(
    (value) =>
      Number.isInteger(value) && !Object.is(value, -0) && (value as number) >= min && (value as number) <= max
        ? (value as number)
        : new Wrong(`not a whole number from ${min} to ${max}`),
    { kind: "whole", min, max },
  );
}

/** True or false. */
export const truth: Field<boolean> = shaped(
  (value) => (typeof value === "boolean" ? value : new Wrong("not true or false")),
  { kind: "truth" },
);

/** Milliseconds since 1970 UTC, up to the year 9999. */
export const instant: Field<number> = whole(0, 253_402_300_799_999);

/** A field that may be absent. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return shaped(
    (value) => (value === undefined ? undefined : field(value)),
    field.shape && { kind: "optional", of: field.shape },
  );
}

/** A list of `min` (one unless told) to `max` elements. */
export function listOf<T>(element: Field<T>, max: number, min = 1): Field<readonly T[]> {
  const read = (value: unknown): readonly T[] | Wrong => {
    if (!Array.isArray(value) || value.length < min || value.length > max)
      return new Wrong(`not a list of ${min} to ${max}`);
    const elements: T[] = [];
    for (const each of value) {
      const checked = element(each);
      if (checked instanceof Wrong) return checked;
      elements.push(checked);
    }
    return elements;
  };
  return shaped(read, element.shape && { kind: "list", min, most: max, of: element.shape });
}

/** An object with these fields; others are left out of what is read. */
export function object<F extends FieldSet>(fields: F): Field<ObjectOf<F>> {
  const entries = Object.entries(fields);
  const check = (value: unknown): ObjectOf<F> | Wrong => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return new Wrong("not an object");
    const read: Record<string, unknown> = {};
    for (const [name, field] of entries) {
      const checked = field(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined);
      if (checked instanceof Wrong) return new Wrong(`${name}: ${checked.why}`);
      if (checked !== undefined) read[name] = checked;
    }
    return read as ObjectOf<F>;
  };
  const shapes = entries.flatMap(([name, { shape }]) => (shape === undefined ? [] : [{ name, of: shape }]));
  return shaped(check, shapes.length === entries.length ? { kind: "object", fields: shapes } : undefined);
}

type Kinds = Readonly<Record<string, FieldSet>>;
type KindOf<K extends Kinds> = {
  [N in keyof K & string]: { readonly kind: N } & ObjectOf<K[N]>;
}[keyof K & string];

/** An object whose `kind` says which other fields it has; `kind` is written first. */
export function kinds<const K extends Kinds>(cases: K): Field<KindOf<K>> {
  const fields = new Map(
    Object.entries(cases).map(([kind, rest]) => [kind, object({ kind: exactly(kind), ...rest }) as Field<unknown>]),
  );
  return (value) => {
    const kind = (value as { kind?: unknown } | null)?.kind;
    const field = typeof kind === "string" ? fields.get(kind) : undefined;
    if (field === undefined) return new Wrong(`kind: not one of ${[...fields.keys()].join(", ")}`);
    return field(value) as KindOf<K> | Wrong;
  };
}

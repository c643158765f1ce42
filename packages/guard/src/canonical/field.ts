/** Says what is wrong with a value, or gives it its type. */
export type Field<T> = (value: unknown) => T | Wrong;

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
  return (value) =>
    typeof value === "string" && value.length <= max ? value : new Wrong(`not a text of at most ${max} characters`);
}

/** Text that a pattern describes. */
export function matching(pattern: RegExp, what: string): Field<string> {
  return (value) => (typeof value === "string" && pattern.test(value) ? value : new Wrong(`not ${what}`));
}

/** Octets as lower-case hex, from `min` to `max` of them. */
export function hexOctets(min: number, max: number): Field<string> {
  return (value) =>
    typeof value === "string" && value.length >= 2 * min && value.length <= 2 * max && /^(?:[0-9a-f]{2})*$/.test(value)
      ? value
      : new Wrong(`not ${min} to ${max} octets as lower-case hex`);
}

/** Exactly this value. */
export function exactly<const T extends string | number | boolean>(wanted: T): Field<T> {
  return (value) => (value === wanted ? wanted : new Wrong(`not ${JSON.stringify(wanted)}`));
}

/** One of these words. */
export function oneOf<const T extends readonly string[]>(words: T): Field<T[number]> {
  return (value) =>
    typeof value === "string" && words.includes(value) ? value : new Wrong(`not one of ${words.join(", ")}`);
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): Field<number> {
  return (value) =>
    Number.isInteger(value) && !Object.is(value, -0) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : new Wrong(`not a whole number from ${min} to ${max}`);
}

/** True or false. */
export const truth: Field<boolean> = (value) => (typeof value === "boolean" ? value : new Wrong("not true or false"));

/** Milliseconds since 1970 UTC, up to the year 9999. */
export const instant: Field<number> = whole(0, 253_402_300_799_999);

/** A field that may be absent. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return (value) => (value === undefined ? undefined : field(value));
}

/** A list of `min` (one unless told) to `max` elements. */
export function listOf<T>(element: Field<T>, max: number, min = 1): Field<readonly T[]> {
  return (value) => {
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
}

/** An object with these fields; others are left out of what is read. */
export function object<F extends FieldSet>(fields: F): Field<ObjectOf<F>> {
  const entries = Object.entries(fields);
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return new Wrong("not an object");
    const read: Record<string, unknown> = {};
    for (const [name, field] of entries) {
      const checked = field(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined);
      if (checked instanceof Wrong) return new Wrong(`${name}: ${checked.why}`);
      if (checked !== undefined) read[name] = checked;
    }
    return read as ObjectOf<F>;
  };
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

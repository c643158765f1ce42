import { bitString, type Data, type DataType, dateTime, type Shape } from "@meterkeep/dlms";

/**
 * A value that a codec of this shape writes: small, plausible and always the same. A virtual meter answers with it where
 * nothing else says what the value is.
 */
export function exampleValue(shape: Shape): unknown {
  switch (shape.type) {
    case "unsigned":
    case "integer":
      return shape.bytes === 8 ? 0n : 0;
    case "float":
      return 0;
    case "boolean":
      return false;
    case "nothing":
      return null;
    case "bytes":
      return new Uint8Array(shape.length ?? 0);
    case "text":
      return "";
    case "constant":
    case "default":
      return shape.value;
    case "enumeration":
      return Object.keys(shape.values)[0];
    case "flags":
    case "sequence":
      return [];
    case "optional":
      return undefined;
    case "nullable":
      return null;
    case "struct":
      return Object.fromEntries(shape.fields.map(({ name, shape: field }) => [name, exampleValue(field)]));
    case "choice": {
      const [first] = shape.variants;
      return first === undefined ? undefined : { kind: first.kind, value: exampleValue(first.shape) };
    }
    case "tagged":
    case "framed":
      return exampleValue(shape.of);
    case "mapped":
      return shape.name in NAMED ? NAMED[shape.name]?.() : exampleValue(shape.of);
    case "named":
      return NAMED[shape.name]?.();
    default:
      return shape satisfies never;
  }
}

/** The first of January 2026, a Thursday, in Universal Time. */
const NEW_YEAR = {
  year: 2026,
  month: 1,
  dayOfMonth: 1,
  dayOfWeek: 4,
  hour: 0,
  minute: 0,
  second: 0,
  hundredths: 0,
} as const;

/** Values of what a shape only names. */
const NAMED: Readonly<Record<string, () => unknown>> = {
  data: () => ({ type: "double-long-unsigned", value: 0 }),
  "date-time": () => dateTime({ ...NEW_YEAR, deviation: 0, status: 0 }),
  date: () => NEW_YEAR,
  time: () => NEW_YEAR,
  "bit-string": () => bitString(""),
  "logical name": () => "0.0.0.0.0.0",
  "short name": () => 0,
  "called or not": () => 0,
  "call mode": () => 0,
  number: () => 0,
};

/** A value of a type, where only the type is known. */
export function exampleData(type: DataType): Data {
  switch (type) {
    case "null-data":
    case "dont-care":
      return { type, value: null };
    case "array":
    case "structure":
      return { type, value: [] };
    case "boolean":
      return { type, value: false };
    case "bit-string":
      return { type, value: bitString("00000000") };
    case "octet-string":
      return { type, value: new Uint8Array(4) };
    case "visible-string":
    case "utf8-string":
      return { type, value: "" };
    case "compact-array":
      return { type, value: { contents: "unsigned", items: [] } };
    case "long64":
    case "long64-unsigned":
      return { type, value: 0n };
    case "date-time":
      return { type, value: dateTime({ ...NEW_YEAR, deviation: 0, status: 0 }) };
    case "date":
      return { type, value: NEW_YEAR };
    case "time":
      return { type, value: NEW_YEAR };
    default:
      return { type, value: 0 };
  }
}

/** Parameters of operations as forms see them: what they are called, what they begin with, how moments are written. */
import type { OperationView, ParameterShape } from "@meterkeep/api";

/** The parameters of an operation as they are being written. */
export type Parameters = Readonly<Record<string, unknown>>;

/** `mostSeconds` as people read it. */
export function labelOf(name: string): string {
  const words = name
    .replaceAll("-", " ")
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

/** What something that was just added begins with. */
export function initialOf(shape: ParameterShape): unknown {
  switch (shape.kind) {
    case "text":
    case "pattern":
      return "";
    case "words":
      return shape.words[0];
    case "whole":
      return Math.max(shape.min, 0);
    case "truth":
      return false;
    case "time":
      return momentOf(new Date().toISOString().slice(0, 16), shape.as);
    case "list":
      return Array.from({ length: shape.min }, () => initialOf(shape.of));
    case "object":
      return Object.fromEntries(shape.fields.map(({ name, of }) => [name, initialOf(of)]));
    case "tagged": {
      const [first] = shape.cases;
      return first === undefined ? {} : { [first.name]: initialOf(first.of) };
    }
    case "optional":
      return undefined;
    default:
      return shape satisfies never;
  }
}

/** The parameters that an operation is written with first: its example. */
export function parametersToStartFrom(operations: readonly OperationView[], name: string): Parameters {
  return operations.find((one) => one.name === name)?.example ?? {};
}

/** A moment as a field for date and time writes it, in UTC; empty where there is none. */
export function momentText(value: unknown): string {
  const at = typeof value === "number" ? value : typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? "" : new Date(at).toISOString().slice(0, 16);
}

/** A moment as the operation wants it; undefined where nothing was written. */
export function momentOf(text: string, as: "text" | "milliseconds"): string | number | undefined {
  const at = Date.parse(`${text}Z`);
  if (Number.isNaN(at)) return undefined;
  return as === "text" ? new Date(at).toISOString() : at;
}

/** A number as it was typed; undefined while it is none. */
export function numberOf(text: string): number | undefined {
  return text.trim() === "" || Number.isNaN(Number(text)) ? undefined : Number(text);
}

/** Leaves out what was left empty, at every depth: what may be absent is. */
export function written(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(written);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, of]) => (of === undefined ? [] : [[name, written(of)]])),
  );
}

import type { ObisCode } from "../obis/code.ts";

/** Whether a code is selected; a selector has the form of a code in which groups may be open. */
export type ObisSelector = (code: ObisCode) => boolean;

type Group = (value: number) => boolean;

const SELECTOR = /^([^-]+)-([^:]+):([^.]+)\.([^.]+)\.([^.*]+|\*)$/;
const NUMBERS = /^\d{1,3}(\|\d{1,3})*$/;

/**
 * Reads a selector such as `1-*:1|2.8.*`: every group is a number, alternatives between `|`, or `*`. Undefined when the
 * text is none.
 */
export function parseSelector(text: string): ObisSelector | undefined {
  const match = SELECTOR.exec(text);
  if (match === null) return undefined;
  const groups = match.slice(1).map(parseGroup);
  const [a, b, c, d, e] = groups;
  if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined) return undefined;
  return (code) => a(code.a) && b(code.b) && c(code.c) && d(code.d) && e(code.e);
}

function parseGroup(text: string): Group | undefined {
  if (text === "*") return () => true;
  if (!NUMBERS.test(text)) return undefined;
  const numbers = new Set(text.split("|").map(Number));
  return (value) => numbers.has(value);
}

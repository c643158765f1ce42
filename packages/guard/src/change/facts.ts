import { type Field, Wrong } from "../canonical/field.ts";

/** What a change is about: named texts, whole numbers, yes or no, and lists of texts. */
export type Facts = Readonly<Record<string, Fact>>;
type Fact = string | number | boolean | readonly string[];

const MOST_FACTS = 32;
const MOST_CHARACTERS = 8192;
const MOST_LISTED = 1024;

/** Facts in the order of their names, so that the same ones are always the same octets. */
export const facts: Field<Facts> = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Wrong("not an object");
  const names = Object.keys(value).sort();
  if (names.length > MOST_FACTS) return new Wrong(`more than ${MOST_FACTS} facts`);
  const read: Record<string, Fact> = {};
  for (const name of names) {
    if (!/^[a-z][A-Za-z0-9]{0,62}$/.test(name)) return new Wrong(`${JSON.stringify(name)} is no name of a fact`);
    const fact = (value as Record<string, unknown>)[name];
    if (!isFact(fact)) return new Wrong(`${name}: not a text, a whole number, true, false or a list of texts`);
    read[name] = fact;
  }
  return read;
};

function isFact(value: unknown): value is Fact {
  if (typeof value === "boolean" || Number.isSafeInteger(value)) return !Object.is(value, -0);
  if (Array.isArray(value)) return value.length <= MOST_LISTED && value.every(isText);
  return isText(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MOST_CHARACTERS && value.isWellFormed();
}

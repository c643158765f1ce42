/** What an entry's body says, in one line: enough to find the entry that one looks for. The whole body stands one click further. Pure. */

/** A digest, a key or a signature: it proves and says nothing. */
const OPAQUE = /^[0-9a-f]{32,}$/i;
const LONGEST = 96;

/** `purpose read, GUEK 2, GAK 2`; empty where the body has no plain facts. */
export function briefBody(body: string): string {
  const facts = plainFacts(body);
  const text = facts.map(([name, value]) => (name === "sentence" ? value : `${spaced(name)} ${value}`)).join(", ");
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1).trimEnd()}…`;
}

function plainFacts(body: string): readonly (readonly [string, string])[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return [];
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return [];
  return Object.entries(parsed).flatMap(([name, value]): [string, string][] => {
    if (typeof value === "number" || typeof value === "boolean") return [[name, String(value)]];
    return typeof value === "string" && value !== "" && !OPAQUE.test(value) ? [[name, value]] : [];
  });
}

/** `toMeter` is `to meter`; names in capitals, such as GUEK, stay. */
function spaced(name: string): string {
  return /^[A-Z\d]+$/.test(name) ? name : name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

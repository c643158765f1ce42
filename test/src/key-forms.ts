/** One way in which a secret could lie in a memory. */
export interface KeyForm {
  readonly name: string;
  readonly octets: Uint8Array;
}

const SMALLEST = 12;

/**
 * The forms in which a secret could lie in a memory: raw, as hex in either case, as base64 and base64url wherever it starts
 * within a longer text (the first and last characters, which depend on the neighbours, are left out), and those texts as the
 * two octets a character that V8 uses for strings with others than Latin-1.
 */
export function keyForms(secret: Uint8Array): KeyForm[] {
  const raw = Buffer.from(secret);
  if (raw.length < SMALLEST) throw new Error(`${raw.length} octets would be found by chance`);
  const texts = new Map<string, string>([
    ["hex", raw.toString("hex")],
    ["HEX", raw.toString("hex").toUpperCase()],
  ]);
  for (const lead of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(lead), raw]);
    // Whole groups of 6 bits that hold nothing but octets of the secret.
    const from = Math.ceil((lead * 8) / 6);
    const to = Math.floor((shifted.length * 8) / 6);
    for (const encoding of ["base64", "base64url"] as const) {
      texts.set(`${encoding}+${lead}`, shifted.toString(encoding).slice(from, to));
    }
  }
  const forms = [...texts].flatMap(([name, text]): KeyForm[] => [
    { name, octets: Buffer.from(text, "latin1") },
    { name: `${name}, two octets a character`, octets: Buffer.from(text, "utf16le") },
  ]);
  // base64 and base64url are the same where neither + nor / occurs.
  const distinct = new Map(forms.map((form) => [Buffer.from(form.octets).toString("latin1"), form]));
  return [{ name: "raw", octets: raw }, ...distinct.values()];
}

/** Group A: the medium a value belongs to (IEC 62056-6-1, table of group A). */
export const MEDIA: Readonly<Record<number, string>> = {
  0: "Abstract",
  1: "Electricity",
  2: "DC electricity",
  4: "Heat cost",
  5: "Cooling",
  6: "Heat",
  7: "Gas",
  8: "Cold water",
  9: "Hot water",
  15: "Other medium",
};

/** Codes that mean one thing, by `C.D.E`; `*` for any E, which `{e}` then names. More exact keys count first. */
export type CodeTable = Readonly<Record<string, string>>;

/** Looks a code up; a key without E counts last. */
export function lookUp(table: CodeTable, c: number, d: number, e: number): string | undefined {
  const text = table[`${c}.${d}.${e}`] ?? table[`${c}.${d}.*`] ?? table[`${c}.*`];
  return text?.replace("{e}", String(e)).replace("{d}", String(d));
}

const TOKEN =
  /[ \t\r\n]*(?:(?<string>"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?<scalar>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|(?<mark>[[\]{}:,]))/uy;

/** What may come next. */
type Wanted = "value" | "item or ]" | "name" | "name or }" | ":" | ", or end";

/**
 * Parses JSON. What is wrong with it is said by line and column, which `JSON.parse` does for some mistakes only.
 *
 * @throws Error
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { line, column, wanted } = locate(text);
    throw new Error(`line ${line}, column ${column}: ${wanted} is expected`, { cause });
  }
}

/** Where a text stops being JSON. */
function locate(text: string): { readonly line: number; readonly column: number; readonly wanted: string } {
  const open: ("[" | "{")[] = [];
  let wanted: Wanted = "value";
  let at = 0;
  for (;;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    const next: Wanted | undefined = match?.groups === undefined ? undefined : after(wanted, match.groups, open);
    if (next === undefined || match === null) break;
    wanted = next;
    at += match[0].length;
    if (open.length === 0) break;
  }
  at += /^[ \t\r\n]*/.exec(text.slice(at))?.[0].length ?? 0;
  const before = text.slice(0, at).split("\n");
  const ended = wanted === ", or end" && open.length === 0;
  return {
    line: before.length,
    column: (before.at(-1) as string).length + 1,
    wanted: ended
      ? "the end"
      : wanted === ", or end"
        ? `, or ${open.at(-1) === "[" ? "]" : "}"}`
        : `${wanted.startsWith("i") ? "an" : "a"} ${wanted}`,
  };
}

/** What may come after a token, or undefined where the token may not stand; keeps the brackets that are open. */
function after(
  wanted: Wanted,
  { string, scalar, mark }: Readonly<Record<string, string | undefined>>,
  open: ("[" | "{")[],
): Wanted | undefined {
  const takesValue = wanted === "value" || wanted === "item or ]";
  if (string !== undefined && (wanted === "name" || wanted === "name or }")) return ":";
  if (string !== undefined || scalar !== undefined) return takesValue ? ", or end" : undefined;
  if ((mark === "[" || mark === "{") && takesValue) {
    open.push(mark);
    return mark === "[" ? "item or ]" : "name or }";
  }
  const inside = open.at(-1);
  const closes = mark === "]" ? wanted === "item or ]" : wanted === "name or }";
  if ((mark === "]" && inside === "[") || (mark === "}" && inside === "{")) {
    if (!closes && wanted !== ", or end") return undefined;
    open.pop();
    return ", or end";
  }
  if (mark === ":" && wanted === ":") return "value";
  if (mark === "," && wanted === ", or end") return inside === "[" ? "value" : "name";
  return undefined;
}

/** Columns of a terminal that text for people keeps to. */
const WIDTH = 118;

/** Rows beneath a head in columns as wide as their longest cell, two spaces apart, without borders: terminals are narrow. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, at) => all.reduce((widest, row) => Math.max(widest, row[at]?.length ?? 0), 0));
  const line = (row: readonly string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return all.map((row) => `${line(row).trimEnd()}\n`).join("");
}

/** Sentences that are the same for many lines: each is told once beneath them, and named by its number in the line. */
export class Footnotes {
  readonly #notes = new Map<string, { readonly number: number; lines: number }>();

  /** What stands in the line. */
  mark(sentence: string): string {
    const note = this.#notes.get(sentence) ?? { number: this.#notes.size + 1, lines: 0 };
    note.lines += 1;
    this.#notes.set(sentence, note);
    return `[${note.number}]`;
  }

  /** All of them, with how many lines have each: `one` or `many` names what a line is of. */
  text(one: string, many: string): string {
    return [...this.#notes]
      .map(([sentence, { number, lines }]) => `[${number}] ${lines} ${lines === 1 ? one : many}: ${sentence}`)
      .flatMap(wrapped)
      .map((line) => `${line}\n`)
      .join("");
  }
}

/** The text in lines that are no wider than {@link WIDTH}, where its words let it; further lines are indented. */
function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || longer.length <= WIDTH) line = longer;
    else {
      lines.push(line);
      line = `    ${word}`;
    }
  }
  return [...lines, line];
}

/** A meter as somebody else's file has it: texts by the name of their column, or of their XML element. */
export interface SourceRow {
  /** Where it stands in the file, from 1: for what is said about it. */
  readonly line: number;
  readonly fields: ReadonlyMap<string, string>;
}

/** Why a file cannot be read at all, with the line where that shows. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

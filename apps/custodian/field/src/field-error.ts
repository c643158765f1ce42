/** What the technician has to know or do: shown as it is. */
export class FieldError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "FieldError";
  }
}

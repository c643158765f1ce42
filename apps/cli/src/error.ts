/** Every code of {@link CliError}; docs/errors.md explains each one. */
export const CLI_ERROR_CODES = [
  "input-unreadable",
  "input-not-hex",
  "input-too-large",
  "file-not-private",
  "key-not-hex",
  "key-file-invalid",
  "layout-file-invalid",
  "memory-file-invalid",
  "counter-file-invalid",
  "option-invalid",
  "manufacturer-invalid",
  "keys-needed",
  "not-running",
  "server-refused",
  "custodian-refused",
  "lease-not-valid",
  "interrupted",
] as const;
export type CliErrorCode = (typeof CLI_ERROR_CODES)[number];

/** Exit statuses of every command: it worked, it was refused or failed, it was called wrongly. */
export const EXIT = { ok: 0, refused: 1, usage: 2 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/**
 * Ends a command with a message for the person at the terminal. The message says what is wrong, where, and what to do;
 * no stack is printed.
 */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: CliErrorCode;
  readonly exitStatus: ExitStatus;

  constructor(code: CliErrorCode, message: string, options: { exitStatus?: ExitStatus; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.exitStatus = options.exitStatus ?? EXIT.usage;
  }
}

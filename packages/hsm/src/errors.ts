/** Every code an `HsmError` can carry; docs/errors.md says what to do about each. */
export const HSM_ERROR_CODES = [
  "hsm-binding-missing",
  "hsm-library-unusable",
  "hsm-token-missing",
  "hsm-pin-refused",
  "hsm-pin-last-try",
  "hsm-key-missing",
  "hsm-key-wrong",
  "hsm-refused",
  "hsm-failed",
  "hsm-timeout",
  "hsm-closed",
] as const;
export type HsmErrorCode = (typeof HSM_ERROR_CODES)[number];

/** What a token could not do, and why. */
export class HsmError extends Error {
  readonly code: HsmErrorCode;

  constructor(code: HsmErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "HsmError";
    this.code = code;
  }
}

/** The code of that name; `hsm-failed` for what is none. */
export function hsmErrorCode(name: string): HsmErrorCode {
  return HSM_ERROR_CODES.find((known) => known === name) ?? "hsm-failed";
}

/**
 * What a return value of PKCS#11 says about the next step.
 *
 * - `session`: this session, or what was begun in it, is of no use: open another and look its handles up again.
 * - `transient`: the same may work in a moment.
 * - `token`: the token, its slot or the library's state is gone: the process begins anew.
 * - `pin`: the PIN is wrong, or locked: never tried again by itself, since a token counts.
 * - `permanent`: the same will be refused again.
 */
export type Failure = "session" | "transient" | "token" | "pin" | "permanent";

/** CKR values (PKCS#11 2.40, clause 2.1) by what they mean for the next step; what is not named is permanent. */
const FAILURES: Readonly<Record<number, Failure>> = {
  // CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED: a handle that means another key now
  99: "session",
  104: "session",
  // CKR_UNWRAPPING_KEY_HANDLE_INVALID, ..._TYPE_INCONSISTENT, CKR_WRAPPING_KEY_HANDLE_INVALID, ..._TYPE_INCONSISTENT
  240: "session",
  242: "session",
  275: "session",
  277: "session",
  // CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED
  130: "session",
  96: "session",
  144: "session",
  145: "session",
  // CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID
  176: "session",
  179: "session",
  // CKR_HOST_MEMORY, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_SESSION_COUNT
  2: "transient",
  5: "transient",
  6: "transient",
  48: "transient",
  49: "transient",
  177: "transient",
  // CKR_SLOT_ID_INVALID, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED, CKR_USER_NOT_LOGGED_IN, CKR_CRYPTOKI_NOT_INITIALIZED
  3: "token",
  50: "token",
  224: "token",
  225: "token",
  257: "token",
  400: "token",
  // CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, CKR_PIN_LOCKED
  160: "pin",
  161: "pin",
  162: "pin",
  163: "pin",
  164: "pin",
};

/** Sorts what a PKCS#11 call threw; undefined for what is no return value of a token. */
export function failureOf(error: unknown): Failure | undefined {
  const code = returnValueOf(error);
  return code === undefined ? undefined : (FAILURES[code] ?? "permanent");
}

/** The CKR value that was thrown. Of some functions the binding says it in the message alone. */
export function returnValueOf(error: unknown): number | undefined {
  if (error instanceof HsmError) return undefined;
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === "number") return code;
  const [, number] = /^CKR_\w+:(\d+)$/.exec(String(message)) ?? [];
  return number === undefined ? undefined : Number(number);
}

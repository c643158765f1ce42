import type { Fault, LinkErrorCode } from "../link/fault.ts";

/** Why a telegram was not decoded, beyond what its link can tell. docs/errors.md explains each code. */
export const TELEGRAM_ERROR_CODES = [
  "nothing-recognised",
  "apdu-unknown",
  "apdu-malformed",
  "key-needed",
  "key-does-not-fit",
  "authentication-key-does-not-fit",
  "keys-swapped",
  "system-title-needed",
  "ciphering-unsupported",
  "counter-reused",
  "counter-replayed",
] as const;
export type TelegramErrorCode = LinkErrorCode | (typeof TELEGRAM_ERROR_CODES)[number];

/** A telegram, or what was meant to be one, that gave no readings. */
export type Refusal = Fault<TelegramErrorCode>;

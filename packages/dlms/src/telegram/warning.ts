/** Everything that a telegram may be warned about; docs/formats/telegram-json.md says what to do about each. */
export const TELEGRAM_WARNING_CODES = [
  "not-encrypted",
  "no-authentication-tag",
  "tag-not-checked",
  "weak-key",
  "suite-mismatch",
  "clock-in-doubt",
  "clock-disagreement",
  "counter-repeated",
  "sibling-was-forged",
  "scale-unknown",
  "scale-inferred",
  "layout-unknown",
  "layout-assumed",
  "layout-does-not-fit",
  "layout-note",
  "checksum-unverifiable",
  "not-understood",
] as const;
export type TelegramWarningCode = (typeof TELEGRAM_WARNING_CODES)[number];

/** Something that a reader of the values should know before believing them. */
export interface TelegramWarning {
  readonly code: TelegramWarningCode;
  /** A sentence. */
  readonly message: string;
}

export function warning(code: TelegramWarningCode, message: string): TelegramWarning {
  return { code, message };
}

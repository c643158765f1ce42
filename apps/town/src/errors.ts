/** Codes of `TownError`. */
export const TOWN_ERROR_CODES = [
  "town-port-taken",
  "town-descriptors-few",
  "town-production-missing",
  "town-transformer-missing",
  "town-control-request-malformed",
] as const;

/** Code of a `TownError`. */
export type TownErrorCode = (typeof TOWN_ERROR_CODES)[number];

/** What the town throws. The message says what, where and what to do. */
export class TownError extends Error {
  readonly code: TownErrorCode;

  constructor(code: TownErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TownError";
    this.code = code;
  }
}

/** Ratios of the instrument transformers before a meter (Blue Book part 1, electricity-related general purpose objects): what it is multiplied and divided by. */
export const TRANSFORMER_RATIOS = {
  current: { numerator: "1-0:0.4.2", denominator: "1-0:0.4.5" },
  voltage: { numerator: "1-0:0.4.3", denominator: "1-0:0.4.6" },
} as const;

/** All of them. */
export const RATIO_CODES: readonly string[] = Object.values(TRANSFORMER_RATIOS).flatMap(
  ({ numerator, denominator }) => [numerator, denominator],
);

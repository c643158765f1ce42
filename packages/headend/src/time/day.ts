/** A day of 24 hours. */
export const DAY_MILLISECONDS = 86_400_000;

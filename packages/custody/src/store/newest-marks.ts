import type { AcceptedMark } from "./records.ts";

/** Marks of accepted counters that a meter is judged by: those of windows under the newest versions of its key. */
export const MOST_ACCEPTED_MARKS = 8;

/** Of marks, the newest first, the first of each window. */
export function newestOfEach(marks: readonly AcceptedMark[]): AcceptedMark[] {
  return marks.filter(
    ({ setup, keyVersion }, at) =>
      marks.findIndex((mark) => mark.setup === setup && mark.keyVersion === keyVersion) === at,
  );
}

import type { AcceptedMark } from "./records.ts";

/** Of marks, the newest first, the first of each window. */
export function newestOfEach(marks: readonly AcceptedMark[]): AcceptedMark[] {
  return marks.filter(
    ({ setup, keyVersion }, at) =>
      marks.findIndex((mark) => mark.setup === setup && mark.keyVersion === keyVersion) === at,
  );
}

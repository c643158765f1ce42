import { useState } from "react";
import { nextStart, spanStart } from "./span.ts";

/** The beginning of the span to ask for, and a way to say what the newest point is. */
export function useSpanStart(
  openedMs: number,
  hours: number,
): readonly [string, (newestMs: number | undefined) => void] {
  const [moved, setMoved] = useState<{ readonly hours: number; readonly start: string }>();
  const start = moved?.hours === hours ? moved.start : spanStart(openedMs, hours);
  const follow = (newestMs: number | undefined) => {
    const next = nextStart(start, newestMs, hours);
    if (next !== start) setMoved({ hours, start: next });
  };
  return [start, follow];
}

import { localTime } from "../live/live-context.tsx";

/** A moment on the wall clock: short where it is of today, in full for whoever points at it. */
export function When({ at, seconds = false }: { at: string; seconds?: boolean }) {
  return (
    <time dateTime={at} title={localTime.full(at)}>
      {seconds ? localTime.seconds(at) : localTime.near(at, Date.now())}
    </time>
  );
}

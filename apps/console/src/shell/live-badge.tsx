import { localTime, useLive, useTownTime } from "../live/live-context.tsx";
import { clockLabel } from "../live/town-clock.ts";

/** Whether the page is live, in word and shape. */
export function LiveBadge() {
  const connection = useLive((live) => live.connection);
  const heardAt = useLive((live) => (live.connection === "lost" ? live.heardAt : undefined));
  const word =
    connection === "live"
      ? "live"
      : connection === "connecting"
        ? "connecting"
        : `as of ${heardAt === undefined ? "never" : localTime.clock(heardAt)}`;
  return (
    <span className={`live-badge ${connection}`} role="status">
      <span className="live-dot" aria-hidden="true" />
      {word}
    </span>
  );
}

/** The town's time and how fast it runs: in sight on every page, because every number belongs to it. */
export function TownClock() {
  const now = useTownTime();
  const clock = useLive((live) => live.clock);
  if (clock === undefined || now === undefined) return null;
  return (
    <span className="town-clock">
      <time dateTime={new Date(now).toISOString()}>
        <span className="town-clock-day">{localTime.weekday(now)}</span> {localTime.clock(now)}
      </time>
      <span className={`mark ${clock.simulated ? "simulated" : ""}`}>{clockLabel(clock)}</span>
    </span>
  );
}

/** Across the page while the stream is lost. */
export function LostBanner() {
  const lost = useLive((live) => live.connection === "lost");
  const heardAt = useLive((live) => (live.connection === "lost" ? live.heardAt : undefined));
  if (!lost) return null;
  return (
    <div className="lost-banner" role="alert">
      <strong>{heardAt === undefined ? "Nothing has been heard yet." : `As of ${localTime.clock(heardAt)}.`}</strong>{" "}
      The stream of events is lost: what you see is old. The page goes on by itself when it is back. If it does not,
      look at the terminal that runs <code>npm start</code>.
    </div>
  );
}

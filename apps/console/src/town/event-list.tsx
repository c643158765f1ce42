/** What happens, newest first. It can be paused (WCAG 2.2, 2.2.2): reading must not be a race. */

import type { MeterSummary, RecentEvent } from "@meterkeep/api";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { memo, useMemo, useState } from "react";
import { recentEventsQuery } from "../api/queries.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatCount } from "../format/quantity.ts";
import { withoutName } from "../live/about.ts";
import { condense } from "../live/condense.ts";
import { joinLines } from "../live/event-line.ts";
import { localTime, useLive } from "../live/live-context.tsx";
import { WallClock } from "../shell/marks.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";

const KEPT = 400;
const SHOWN = 60;

export const EventList = memo(function EventList({ meters }: { meters: ReadonlyMap<string, MeterSummary> }) {
  const recent = useQuery(recentEventsQuery);
  const live = useLive((snapshot) => snapshot.lines);
  const [paused, setPaused] = useState<readonly RecentEvent[]>();
  const current = useMemo(() => joinLines(live, recent.data?.events ?? [], KEPT), [live, recent.data]);
  const nameOf = (meter: string) => meters.get(meter)?.label ?? meter;
  const lines = paused ?? current;
  const full = lines.length === KEPT;
  const groups = useMemo(
    () => condense(lines, (meter) => meters.get(meter)?.label ?? meter).slice(0, SHOWN),
    [lines, meters],
  );
  return (
    <section className="panel events" aria-labelledby="events-title">
      <div className="panel-head">
        <h2 id="events-title">Events</h2>
        <WallClock />
        <button
          type="button"
          className="text-button"
          aria-pressed={paused !== undefined}
          onClick={() => setPaused(paused === undefined ? current : undefined)}
        >
          {paused === undefined ? <IconPlayerPause size={14} aria-hidden /> : <IconPlayerPlay size={14} aria-hidden />}
          {paused === undefined ? "Pause" : "Go on"}
        </button>
      </div>
      <ScrollRegion className="event-scroll" label="Newest events">
        {groups.length === 0 ? (
          <p className="dim event-none">Nothing has happened yet. The first contact with a meter is the first event.</p>
        ) : (
          <ol>
            {groups.map(({ event, count }) => (
              <li key={`${event.type} ${event.id}`} className={`event ${event.severity}`}>
                <time dateTime={event.at} className="event-time">
                  {localTime.seconds(event.at)}
                </time>
                <div>
                  <p>
                    {event.meter === undefined ? null : (
                      <Link to="/meters/$systemTitle" params={{ systemTitle: event.meter }} className="event-meter">
                        {nameOf(event.meter)}
                      </Link>
                    )}{" "}
                    {event.meter === undefined ? event.sentence : withoutName(event.sentence, nameOf(event.meter))}
                    {count === 1 ? null : (
                      <span className="dim">
                        {" "}
                        ({full ? "over " : ""}
                        {formatCount(count - 1)} more like it)
                      </span>
                    )}
                  </p>
                  {event.session === undefined ? null : (
                    <Link to="/sessions/$id" params={{ id: event.session }} className="event-more">
                      step by step
                    </Link>
                  )}
                  {event.evidence === undefined ? null : (
                    <span className="event-more">
                      <EvidenceLink hash={event.evidence}>evidence</EvidenceLink>
                    </span>
                  )}
                </div>
              </li>
            ))}
          </ol>
        )}
      </ScrollRegion>
    </section>
  );
});

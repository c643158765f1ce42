/** The last session as a ladder, and the ones before it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { sessionQuery, sessionsQuery } from "../api/queries.ts";
import { formatOctets, spoken } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { Ladder } from "../session/ladder.tsx";
import { OutcomeMark } from "../session/outcome-mark.tsx";
import { PURPOSE_WORDS } from "../session/purpose.ts";
import { Empty } from "../shell/empty.tsx";
import { WallClock } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { ShowMore } from "../shell/show-more.tsx";

interface SessionsProps {
  readonly systemTitle: string;
  readonly lastSession: string | undefined;
  readonly meterName: string;
  /** It only pushes: nobody opens sessions with it. */
  readonly attached: boolean;
}

export function Sessions({ systemTitle, lastSession, meterName, attached }: SessionsProps) {
  // The session shown stays while newer ones come in: nobody reads a ladder that is pulled away every quarter of an hour of town time.
  const [first, setFirst] = useState(lastSession);
  const shown = first ?? lastSession;
  const [before, setBefore] = useState(6);
  const { data: list } = useQuery(sessionsQuery(systemTitle));
  return (
    <>
      <Panel
        name="last-session"
        title="Last session, step by step"
        beside={
          lastSession !== undefined && shown !== lastSession ? (
            <button type="button" className="text-button" onClick={() => setFirst(lastSession)}>
              Show the newer one
            </button>
          ) : null
        }
      >
        {shown === undefined ? (
          <div className="panel-body">
            <Empty>
              {attached
                ? "Nobody speaks with this meter: its keys were added by hand, and it sends by itself."
                : "Nobody has spoken with this meter yet. Its first contact changes its keys, and stands here step by step."}
            </Empty>
          </div>
        ) : (
          <LastSession id={shown} meterName={meterName} />
        )}
      </Panel>
      {list === undefined || list.sessions.length < 2 ? null : (
        <Panel name="sessions" title="Sessions before" beside={<WallClock />}>
          <ol className="session-list">
            {list.sessions
              .filter(({ id }) => id !== shown)
              .slice(0, before)
              .map((session) => (
                <li key={session.id} className="session-line">
                  <time dateTime={session.startedAt} className="dim">
                    {localTime.seconds(session.startedAt)}
                  </time>
                  <Link to="/sessions/$id" params={{ id: session.id }}>
                    {PURPOSE_WORDS[session.purpose]}
                  </Link>
                  <OutcomeMark outcome={session.outcome} />
                  <span className="session-says">{session.sentence}</span>
                </li>
              ))}
          </ol>
          {list.sessions.length - 1 > before ? (
            <ShowMore show={() => setBefore(list.sessions.length)}>
              Show {list.sessions.length - 1 - before} more
            </ShowMore>
          ) : null}
        </Panel>
      )}
    </>
  );
}

function LastSession({ id, meterName }: { id: string; meterName: string }) {
  const { data } = useQuery(sessionQuery(id));
  if (data === undefined) return <p className="panel-body dim">Fetching the steps …</p>;
  const { session, ladder } = data;
  return (
    <>
      <p className="session-head">
        <Link to="/sessions/$id" params={{ id }}>
          {PURPOSE_WORDS[session.purpose]}
        </Link>
        <OutcomeMark outcome={session.outcome} />
        <span>{session.sentence}</span>
        <span className="dim">
          {localTime.full(session.startedAt)}, {spoken(formatOctets(session.octetsSent))} sent,{" "}
          {spoken(formatOctets(session.octetsReceived))} received
        </span>
      </p>
      <Ladder ladder={ladder} meterName={meterName} />
    </>
  );
}

import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { overviewQuery, sessionQuery } from "../api/queries.ts";
import { formatOctets, spoken } from "../format/quantity.ts";
import { formatDuration } from "../format/time.ts";
import { localTime } from "../live/live-context.tsx";
import { Empty } from "../shell/empty.tsx";
import { SimulatedMark } from "../shell/marks.tsx";
import { MeterLink } from "../shell/meter-link.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { Ladder } from "./ladder.tsx";
import { OutcomeMark } from "./outcome-mark.tsx";
import { PURPOSE_WORDS } from "./purpose.ts";

/** One session, step by step. */
export function SessionPage() {
  const { id } = useParams({ from: "/frame/sessions/$id" });
  const { data } = useSuspenseQuery(sessionQuery(id));
  const overview = useQuery(overviewQuery);
  const { session, ladder } = data;
  const meter = overview.data?.meters.find(({ systemTitle }) => systemTitle === session.meter);
  const name = meter?.label ?? session.meter;
  usePageTitle(`${PURPOSE_WORDS[session.purpose]}, ${name}`);
  const lasted =
    session.endedAt === undefined ? undefined : Date.parse(session.endedAt) - Date.parse(session.startedAt);
  return (
    <>
      <PageHead
        crumb={<MeterLink systemTitle={session.meter} label={name} />}
        title={PURPOSE_WORDS[session.purpose]}
        lede={session.sentence}
      >
        <span className="marks">
          <OutcomeMark outcome={session.outcome} />
          {meter?.kind === "simulated" ? <SimulatedMark /> : null}
        </span>
      </PageHead>
      <Panel
        name="ladder"
        title="Step by step"
        beside={
          <span className="dim">
            {localTime.full(session.startedAt)}
            {lasted === undefined ? "" : `, ${formatDuration(lasted)}`}, {spoken(formatOctets(session.octetsSent))}{" "}
            sent, {spoken(formatOctets(session.octetsReceived))} received
          </span>
        }
      >
        {ladder.length === 0 ? (
          <div className="panel-body">
            <Empty>Nothing went over the line in this session. {session.sentence}</Empty>
          </div>
        ) : (
          <Ladder ladder={ladder} meterName={name} />
        )}
      </Panel>
    </>
  );
}

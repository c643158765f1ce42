import type { LoggedEvent } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { meterEventsQuery } from "../api/meter-queries.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { TownClockMark } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";

const GRAVE = 3;
const FIRST = 8;

/** What the meter wrote into its event logs, newest first. */
export function MeterEvents({ systemTitle }: { systemTitle: string }) {
  const { data, error, refetch } = useQuery(meterEventsQuery(systemTitle));
  const [shown, setShown] = useState(FIRST);
  const events = data?.events ?? [];
  return (
    <Panel name="meter-events" title="Its event logs" beside={<TownClockMark />}>
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      {data !== undefined && events.length === 0 ? (
        <div className="panel-body">
          <Empty>No events have been read yet. They are read once a day of the meter, and when somebody asks.</Empty>
        </div>
      ) : null}
      {events.length === 0 ? null : (
        <DataTable
          label="Events, newest first"
          columns={["Time", "What", "About", "Log"]}
          inset
          below={
            events.length > shown ? (
              <button type="button" className="text-button" onClick={() => setShown(events.length)}>
                Show all {events.length}
              </button>
            ) : undefined
          }
        >
          {events.slice(0, shown).map((event) => (
            <Event key={`${event.time} ${event.log} ${event.code}`} event={event} />
          ))}
        </DataTable>
      )}
    </Panel>
  );
}

function Event({ event: { time, words, category, log, code, severity, evidence } }: { event: LoggedEvent }) {
  const now = useTownTime();
  return (
    <tr>
      <td className="nowrap">{localTime.near(time, now ?? Date.now())}</td>
      <td>
        <EvidenceLink hash={evidence}>{severity >= GRAVE ? <strong>{words}</strong> : words}</EvidenceLink>
      </td>
      <td>{category.replace("-", " ")}</td>
      <td>
        {log} <code>{code}</code>
      </td>
    </tr>
  );
}

/** What the drill is, and those that were run. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { drillsQuery } from "../api/queries.ts";
import { localTime } from "../live/live-context.tsx";
import { Command } from "../shell/command.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { drillSentence, drillVerdict } from "./drill-words.ts";
import { StartDrill } from "./start-drill.tsx";
import "./drill.css";

export function DrillHome() {
  const { data, error, refetch } = useQuery(drillsQuery);
  usePageTitle("Drill");
  const drills = data?.drills ?? [];
  return (
    <>
      <PageHead
        title="What does a thief get?"
        lede="Suppose somebody owns the head-end: its memory, its database, its place on the custodian's socket. The drill is that somebody, as a real process. It asks for a disconnect of every simulated home and for a key."
      >
        <StartDrill again={drills.length > 0} />
      </PageHead>
      <div className="drill-home">
        <ol className="drill-plan panel">
          <li>
            <h2>It holds the real credentials</h2>
            <p>The process takes the head-end's own channel key and certificate. The custodian cannot tell it apart.</p>
          </li>
          <li>
            <h2>It asks for everything</h2>
            <p>
              One disconnect for each home, then a key. The custodian reads what it is asked to seal: switching a supply
              needs a command token, signed by people. There is none.
            </p>
          </li>
          <li>
            <h2>The meters have the last word</h2>
            <p>
              Whatever got sealed would be sent. Then every home's disconnect control is read back. Only simulated
              meters are ever asked.
            </p>
          </li>
        </ol>
        <Panel name="drills" title={drills.length === 0 ? "The same from a terminal" : "Drills so far"}>
          <div className="panel-body drill-past">
            {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
            {drills.length === 0 ? null : (
              <ul>
                {drills.map((drill) => (
                  <li key={drill.id} className="drill-past-line">
                    <Link to="/drill/$id" params={{ id: drill.id }}>
                      {drillSentence(drill)}
                    </Link>{" "}
                    <span className="dim">
                      {localTime.near(drill.startedAt, Date.now())}
                      {drillVerdict(drill) === "broken"
                        ? ", broken into"
                        : drill.state === "failed"
                          ? ", not finished"
                          : ""}
                    </span>
                  </li>
                ))}
              </ul>
            )}
            <Command text="npx meterkeep drill break-in" />
          </div>
        </Panel>
      </div>
    </>
  );
}

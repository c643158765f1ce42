/** A fleet that is too large for a picture of each home: its feeders in one line each, and its meters a page at a time. */
import type { FeederLine, MeterList, Overview } from "@meterkeep/api";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { meterPageQuery, overviewQuery } from "../api/queries.ts";
import { counted, formatCount, formatPower } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { TrustMark } from "../shell/marks.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";
import { ShowMore } from "../shell/show-more.tsx";
import { EventList } from "./event-list.tsx";
import { FindMeter } from "./find-meter.tsx";
import { MeterTable } from "./meter-list.tsx";
import { NextPanel } from "./next-panel.tsx";
import { worstFirst } from "./summary.ts";
import { Warnings } from "./warnings.tsx";

const SHOWN_FEEDERS = 50;
/** Nobody's line is at hand: events name meters by their titles. */
const NO_LINES = new Map<string, never>();

export function LargeTown({ overview, feeders }: { overview: Overview; feeders: readonly FeederLine[] }) {
  usePageTitle("Town");
  const queries = useQueryClient();
  const [feeder, setFeeder] = useState<string>();
  const { counts } = overview;
  const again = () => {
    void queries.invalidateQueries({ queryKey: overviewQuery.queryKey });
    void queries.invalidateQueries({ queryKey: ["meter-page"] });
  };
  return (
    <div className="town">
      <PageHead
        title={
          counts.disconnected > 0
            ? `${counted(counts.disconnected, "home is", "homes are")} dark`
            : `${counted(counts.connected, "home is", "homes are")} supplied`
        }
        lede={`${counted(counts.meters, "meter")} on ${counted(feeders.length, "feeder")}: ${formatCount(counts.connected)} homes supplied, ${formatCount(counts.disconnected)} dark, ${counted(counts.stale, "meter")} stale.`}
      >
        <button type="button" className="button" onClick={again}>
          Count again
        </button>
      </PageHead>
      <div className="town-grid">
        <Feeders feeders={feeders} chosen={feeder} choose={setFeeder} />
        <div className="town-side">
          <Warnings warnings={overview.warnings} />
          <NextPanel counts={counts} />
          <EventList meters={NO_LINES} />
        </div>
        <MeterPages feeders={feeders} feeder={feeder} choose={setFeeder} />
      </div>
    </div>
  );
}

function Feeders({
  feeders,
  chosen,
  choose,
}: {
  feeders: readonly FeederLine[];
  chosen: string | undefined;
  choose: (feeder: string | undefined) => void;
}) {
  const [limit, setLimit] = useState(SHOWN_FEEDERS);
  const sorted = useMemo(() => worstFirst(feeders), [feeders]);
  return (
    <Panel name="feeders" title="Feeders, the worst first">
      <DataTable
        label="How each feeder is"
        columns={["Feeder", { number: "Homes" }, { number: "Dark" }, { number: "Stale" }, { number: "Load" }, "Trust"]}
      >
        {sorted.slice(0, limit).map(({ id, name, homes, disconnected, stale, loadW, loadTrust }) => (
          <tr key={id}>
            <th scope="row">
              <button
                type="button"
                className="text-button"
                aria-pressed={chosen === id}
                onClick={() => choose(chosen === id ? undefined : id)}
              >
                {name}
              </button>
            </th>
            <td className="number">{formatCount(homes)}</td>
            <td className="number">{formatCount(disconnected)}</td>
            <td className="number">{formatCount(stale)}</td>
            <td className="number">{loadW === undefined ? "–" : <Amount of={formatPower(loadW)} />}</td>
            <td>{loadTrust === undefined ? "–" : <TrustMark trust={loadTrust} />}</td>
          </tr>
        ))}
      </DataTable>
      {sorted.length > limit ? (
        <ShowMore show={() => setLimit(limit + SHOWN_FEEDERS)}>
          Show {Math.min(SHOWN_FEEDERS, sorted.length - limit)} more
        </ShowMore>
      ) : null}
    </Panel>
  );
}

function MeterPages({
  feeders,
  feeder,
  choose,
}: {
  feeders: readonly FeederLine[];
  feeder: string | undefined;
  choose: (feeder: string | undefined) => void;
}) {
  const [text, setText] = useState("");
  const [find, setFind] = useState("");
  const asked = { ...(feeder !== undefined && { feeder }), ...(find !== "" && { find }) };
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: ["meter-page", asked],
    queryFn: ({ pageParam, client }) => client.fetchQuery({ ...meterPageQuery(asked, pageParam), staleTime: 0 }),
    initialPageParam: "0",
    getNextPageParam: ({ next }: MeterList) => next,
  });
  const found = useMemo(() => data?.pages.flatMap(({ meters }) => meters) ?? [], [data]);
  const search = (event: FormEvent): void => {
    event.preventDefault();
    setFind(text.trim());
  };
  const name = feeders.find(({ id }) => id === feeder)?.name ?? feeder;
  return (
    <section className="panel town-list" aria-labelledby="list-title">
      <form className="panel-head" onSubmit={search}>
        <h2 id="list-title">{name === undefined ? "Meters" : `Meters on ${name}`}</h2>
        <span className="dim" role="status">
          {data === undefined ? "" : `${formatCount(found.length)}${hasNextPage ? ", and more" : ""}`}
        </span>
        <span className="list-tools">
          <FindMeter text={text} change={setText} />
          <button type="submit" className="button">
            Find
          </button>
          {feeder === undefined ? null : (
            <button type="button" className="text-button" onClick={() => choose(undefined)}>
              Every feeder
            </button>
          )}
        </span>
      </form>
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      <MeterTable rows={found} />
      {data !== undefined && found.length === 0 ? <Empty>No meter is like that. Fewer words find more.</Empty> : null}
      {hasNextPage ? <ShowMore isFetching={isFetchingNextPage} show={() => void fetchNextPage()} /> : null}
    </section>
  );
}

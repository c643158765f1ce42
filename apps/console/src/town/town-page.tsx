/** The first page: is the town supplied, how far is each meter trusted, what is happening, what can I do next. */
import type { MeterSummary, Overview } from "@meterkeep/api";
import { IconHammer } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link, useLocation } from "@tanstack/react-router";
import { memo, useCallback, useDeferredValue, useEffect, useMemo, useState } from "react";
import { overviewQuery } from "../api/queries.ts";
import { counted, formatPower } from "../format/quantity.ts";
import { localTime, useLive } from "../live/live-context.tsx";
import { Empty } from "../shell/empty.tsx";
import { SimulatedMark } from "../shell/marks.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Amount } from "../shell/quantity.tsx";
import { AttachedMeters } from "./attached.tsx";
import { Diagram } from "./diagram.tsx";
import { EventList } from "./event-list.tsx";
import { Haystacks, isEmptyFilter, type MeterFilter, select } from "./filter.ts";
import { LargeTown } from "./large-town.tsx";
import { Legend } from "./legend.tsx";
import { LoadChart } from "./load-chart.tsx";
import { MeterList } from "./meter-list.tsx";
import { NextPanel } from "./next-panel.tsx";
import { countStages } from "./stage.ts";
import { StageRail } from "./stage-rail.tsx";
import { Strangers } from "./strangers.tsx";
import { emptySentence, supplySentence, townFacts } from "./summary.ts";
import { Warnings } from "./warnings.tsx";
import "./town.css";
import "./diagram.css";
import "./home.css";

export function TownPage() {
  const { data } = useSuspenseQuery(overviewQuery);
  // A large town is drawn in slices: a key or a click that comes in between goes first.
  const overview = useDeferredValue(data);
  if (overview.feeders !== undefined) return <LargeTown overview={overview} feeders={overview.feeders} />;
  return <Town overview={overview} />;
}

const Town = memo(function Town({ overview }: { overview: Overview }) {
  const [filter, setFilter] = useState<MeterFilter>({});
  const used = useDeferredValue(filter);
  const meters = useMemo(
    () => new Map(overview.meters.map((meter): [string, MeterSummary] => [meter.systemTitle, meter])),
    [overview.meters],
  );
  const stages = useMemo(() => countStages(overview.meters), [overview.meters]);
  const present = useMemo(() => new Set(overview.meters.map(({ trust }) => trust)), [overview.meters]);
  const attached = useMemo(() => overview.meters.filter(({ role }) => role === "attached"), [overview.meters]);
  const [haystacks] = useState(() => new Haystacks());
  const found = useMemo(() => select(used, overview.meters, haystacks), [used, overview.meters, haystacks]);
  const shown = useShown(found, isEmptyFilter(used));
  const [townStart] = useState(() => Date.parse(overview.clock.now));
  const chooseFeeder = useCallback((feeder: string | undefined) => setFilter((before) => ({ ...before, feeder })), []);
  const { grid } = overview;
  useFindHash();
  usePageTitle("Town");

  return (
    <div className="town">
      <TownHead grid={grid} meters={meters} showDark={() => setFilter({ supply: "disconnected" })} />
      <StageRail counts={stages} chosen={filter.stage} choose={(stage) => setFilter({ ...filter, stage })} />
      <div className="town-grid">
        <section className="panel town-diagram" aria-labelledby="diagram-title">
          <div className="panel-head">
            <h2 id="diagram-title">One-line diagram</h2>
            <Legend present={present} />
          </div>
          {grid === undefined ? (
            <div className="panel-body">
              <Empty command="npx meterkeep status">
                {overview.meters.length === 0
                  ? "No shipment has been imported, so there is no town yet. It appears here as soon as the first one is."
                  : "The shipment is being imported. The town appears here as soon as all of it is in custody."}
              </Empty>
            </div>
          ) : (
            <Diagram grid={grid} meters={meters} shown={shown} chosen={filter.feeder} choose={chooseFeeder} />
          )}
          <AttachedMeters meters={attached} />
          <Strangers />
        </section>
        <div className="town-side">
          <Warnings warnings={overview.warnings} />
          <NextPanel counts={overview.counts} />
          <EventList meters={meters} />
        </div>
        {grid === undefined ? null : <LoadChart grid={grid} meters={meters} townStart={townStart} />}
        <MeterList meters={overview.meters} found={found} filter={filter} change={setFilter} />
      </div>
    </div>
  );
});

function TownHead({
  grid,
  meters,
  showDark,
}: {
  grid: Parameters<typeof townFacts>[0] | undefined;
  meters: ReadonlyMap<string, MeterSummary>;
  showDark: () => void;
}) {
  const facts = useMemo(() => (grid === undefined ? undefined : townFacts(grid, meters)), [grid, meters]);
  const asOf = useLive((live) => (live.connection === "lost" ? live.heardAt : undefined));
  return (
    <PageHead
      title={
        <>
          {asOf === undefined ? "" : `As of ${localTime.clock(asOf)}: `}
          {facts === undefined ? emptySentence(meters.size) : supplySentence(facts)}
        </>
      }
      lede={
        facts === undefined ? undefined : (
          <>
            {facts.loadW === undefined ? (
              "The load has not been read yet."
            ) : (
              <>
                <a href="#load" className="evidence-link town-load">
                  <Amount of={formatPower(facts.loadW)} />
                </a>{" "}
                {facts.feedersWithLoad === facts.feeders
                  ? "is the town's load"
                  : `on ${facts.feedersWithLoad} of ${facts.feeders} feeders`}
                , as its transformer meters measured it.
              </>
            )}{" "}
            {facts.stale > 0 ? `${counted(facts.stale, "meter is", "meters are")} stale. ` : ""}
            <span className="marks">
              <SimulatedMark />
              {facts.loadW === undefined || facts.loadDoubt === undefined ? null : (
                <span className="mark">{facts.loadDoubt}</span>
              )}
            </span>{" "}
            {facts.dark === 0 ? null : (
              <button type="button" className="text-button" onClick={showDark}>
                Show the dark
              </button>
            )}
          </>
        )
      }
    >
      <Link to="/drill" className="button primary">
        <IconHammer size={17} aria-hidden /> Break in
      </Link>
    </PageHead>
  );
}

/** The titles that the filter singles out, the same set while it names the same meters; undefined when it singles out none. */
function useShown(found: readonly MeterSummary[], isEmpty: boolean): ReadonlySet<string> | undefined {
  const [shown, setShown] = useState<ReadonlySet<string>>();
  const isSame = isEmpty
    ? shown === undefined
    : shown?.size === found.length && found.every(({ systemTitle }) => shown.has(systemTitle));
  if (isSame) return shown;
  const next = isEmpty ? undefined : new Set(found.map(({ systemTitle }) => systemTitle));
  setShown(next);
  return next;
}

/** `/#find`, where the shortcut leads, puts the focus into the search field. */
function useFindHash(): void {
  const location = useLocation();
  useEffect(() => {
    if (location.hash !== "find") return;
    const field = document.getElementById("find");
    field?.focus();
    field?.scrollIntoView({ block: "center" });
  }, [location]);
}

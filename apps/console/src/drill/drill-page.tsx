/** A drill, live: three numbers, one cell an ask, and behind each cell the APDU and why it was not sealed. */
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { drillQuery, overviewQuery } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { keyed } from "../shell/keyed.ts";
import { SimulatedMark } from "../shell/marks.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { AskView } from "./ask-view.tsx";
import {
  cellSentence,
  DRILL_STATE_WORDS,
  drillSentence,
  drillVerdict,
  outcomeSentence,
  wallOf,
} from "./drill-words.ts";
import { StartDrill } from "./start-drill.tsx";
import { moveInWall } from "./wall-keys.ts";
import "./drill.css";

const LEGEND = [
  { state: "refused", word: "refused" },
  { state: "sealed", word: "sealed" },
  { state: "failed", word: "not answered" },
  { state: "asked", word: "asked" },
  { state: "ahead", word: "to come" },
] as const;

export function DrillPage() {
  const { id } = useParams({ from: "/frame/drill/$id" });
  const { data: report } = useSuspenseQuery(drillQuery(id));
  const { data: overview } = useQuery(overviewQuery);
  const labels = useMemo(
    () => new Map(overview?.meters.map(({ systemTitle, label }) => [systemTitle, label])),
    [overview?.meters],
  );
  const [chosen, setChosen] = useState(0);
  const inGrid = overview?.grid?.feeders.reduce((sum, feeder) => sum + feeder.homes.length, 0);
  const homes = inGrid ?? overview?.feeders?.reduce((sum, feeder) => sum + feeder.homes, 0) ?? 0;
  const wall = wallOf(report, report.state === "done" || report.state === "failed" ? 0 : homes + 1);
  usePageTitle(`Drill, ${drillSentence(report)}`);
  const verdict = drillVerdict(report);
  const running = report.state !== "done" && report.state !== "failed";
  const cell = wall[chosen];

  return (
    <>
      <PageHead
        crumb={<Link to="/drill">Drills</Link>}
        title="Break-in"
        lede={
          <>
            {DRILL_STATE_WORDS[report.state]} {report.failure ?? ""}
            {outcomeSentence(report, homes)} <SimulatedMark />
          </>
        }
        live
      >
        {running ? null : <StartDrill again />}
      </PageHead>
      <section className={`drill-result ${verdict}`} aria-label="Result">
        <BigNumber value={report.asked} name="asked" says={`as ${report.principal}`} />
        <BigNumber
          value={report.sealed}
          name="sealed"
          says={
            report.sealed === 0
              ? `${formatCount(report.refused)} refused by the custodian`
              : "the custodian sealed what it must not"
          }
        />
        <BigNumber
          value={report.dark}
          name={report.dark === 1 ? "home dark" : "homes dark"}
          says={
            report.readBack === 0
              ? "not read back yet"
              : `${formatCount(report.readBack)} of ${formatCount(homes)} read back from the meters`
          }
        />
      </section>
      <div className="drill-grid">
        <Panel
          name="wall"
          title="Every ask"
          beside={
            <span className="dim">
              <time dateTime={report.startedAt}>{localTime.full(report.startedAt)}</time>
            </span>
          }
        >
          <Wall
            cells={wall.map((one, index) => ({
              state: one.state,
              says: cellSentence(one, index, one.item?.meter === undefined ? undefined : labels.get(one.item.meter)),
              kind: one.item !== undefined && one.item.meter === undefined ? "key" : "home",
            }))}
            chosen={chosen}
            choose={setChosen}
          />
          <p className="wall-legend">
            {LEGEND.filter(({ state }) => wall.some((one) => one.state === state)).map(({ state, word }) => (
              <span key={state} className="wall-legend-item">
                <span className={`ask-cell ${state}`} aria-hidden="true" /> {word}
              </span>
            ))}
          </p>
        </Panel>
        <AskView
          item={cell?.item}
          label={cell?.item?.meter === undefined ? undefined : labels.get(cell.item.meter)}
          running={running}
        />
      </div>
    </>
  );
}

function BigNumber({ value, name, says }: { value: number; name: string; says: string }) {
  return (
    <p className="big-number">
      <strong>{formatCount(value)}</strong> <span className="big-name">{name}</span>{" "}
      <span className="big-says">{says}</span>
    </p>
  );
}

interface WallProps {
  readonly cells: readonly { readonly state: string; readonly says: string; readonly kind: "home" | "key" }[];
  readonly chosen: number;
  readonly choose: (index: number) => void;
}

/** One stop of the tab key; arrows walk, and what stands beside follows. */
function Wall({ cells, chosen, choose }: WallProps) {
  const root = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = root.current?.querySelectorAll<HTMLButtonElement>("button");
    const first = buttons?.[0];
    if (buttons === undefined || first === undefined) return;
    const perRow = [...buttons].findIndex((button) => button.offsetTop > first.offsetTop);
    const next = moveInWall(chosen, event.key, cells.length, perRow === -1 ? cells.length : perRow);
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
    buttons[next]?.focus();
  };
  return (
    <div className="wall" role="toolbar" aria-label="Every ask" ref={root} onKeyDown={onKeyDown}>
      {keyed(cells).map(({ key: index, item: { state, says, kind } }) => (
        <button
          key={index}
          type="button"
          className={`ask-cell ${state} ${kind}`}
          tabIndex={index === chosen ? 0 : -1}
          aria-pressed={index === chosen}
          aria-label={says}
          onClick={() => choose(index)}
        />
      ))}
    </div>
  );
}

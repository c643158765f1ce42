/** Intervals of the last day: bars full where decisions may use them, hollow where not; each opens its evidence. */
import type { MeterDetail } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { profileQuery } from "../api/queries.ts";
import { Plot } from "../chart/plot.tsx";
import { powerSeries } from "../chart/power-series.ts";
import type { PlotSeries } from "../chart/series.ts";
import { lastHours } from "../chart/span.ts";
import { useSpanStart } from "../chart/use-span.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatPower, spoken } from "../format/quantity.ts";
import { localTime, useLive, useLiveStore } from "../live/live-context.tsx";
import { townTime } from "../live/town-clock.ts";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { SimulatedMark, TrustMark } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";
import { decisiveSentence, intervalBars } from "./interval-view.ts";

const QUALITY_WORDS = {
  late: "came after its day was closed",
  accepted: "was disputed, and somebody has accepted it",
  disputed: "disputed: another value came for it, or it is not plausible",
  rejected: "was disputed, and somebody has rejected it",
} as const;

const SERIES: readonly PlotSeries[] = [
  { label: "for decisions", tone: "accent", widthPx: 0, bars: "plain" },
  { label: "not for decisions", tone: "ink-3", widthPx: 1, bars: "hatched" },
];
const SPANS = { day: 24, week: 24 * 7 } as const;

export function ReadingsChart({ detail }: { detail: MeterDetail }) {
  const navigate = useNavigate();
  const live = useLiveStore();
  const lost = useLive((snapshot) => snapshot.connection === "lost");
  const [span, setSpan] = useState<keyof typeof SPANS>("day");
  const [at, setAt] = useState<number>();
  const [opened] = useState(() => {
    const { clock } = live.snapshot();
    return clock !== undefined && detail.meter.kind === "simulated" ? townTime(clock, Date.now()) : Date.now();
  });
  const [from, follow] = useSpanStart(opened, SPANS[span]);
  const { data, error, refetch } = useQuery(profileQuery(detail.meter.systemTitle, from));
  const points = useMemo(() => (data === undefined ? [] : lastHours(powerSeries(data), SPANS[span])), [data, span]);
  const newest = points.at(-1)?.time;
  useEffect(() => follow(newest === undefined ? undefined : newest * 1000));
  const bars = useMemo(() => intervalBars(points), [points]);
  const values = useMemo(() => [bars.decisive, bars.excluded], [bars]);
  const index = Math.min(at ?? points.length - 1, points.length - 1);
  const point = points[index];
  const open = (where: number) => {
    const hash = points[where]?.evidence;
    if (hash !== undefined)
      void navigate({ to: ".", search: (before) => ({ ...before, evidence: hash }), resetScroll: false });
  };

  return (
    <Panel
      name="intervals"
      title="Load profile"
      beside={
        <>
          {detail.meter.kind === "simulated" ? <SimulatedMark /> : null}
          <fieldset className="choice" aria-label="Span">
            {(["day", "week"] as const).map((one) => (
              <button key={one} type="button" aria-pressed={span === one} onClick={() => setSpan(one)}>
                {one === "day" ? "24 hours" : "7 days"}
              </button>
            ))}
          </fieldset>
        </>
      }
    >
      <div className="panel-body">
        {error !== null ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : point === undefined ? (
          data === undefined ? (
            <p className="dim chart-wait">Fetching the intervals …</p>
          ) : (
            <Empty>
              {detail.meter.role === "attached"
                ? "Nobody reads intervals of this meter: what it pushes stands below."
                : "No interval of this time has been read."}{" "}
              {detail.intervals.missing > 0 ? "They are asked for in the next session." : ""}
            </Empty>
          )
        ) : (
          <>
            <p className="chart-readout">
              <strong>{localTime.near(point.time * 1000, opened)}</strong>
              <EvidenceLink hash={point.evidence}>
                <Amount of={formatPower(point.powerW)} />
              </EvidenceLink>
              {point.powerW < 0 ? <span>fed into the grid</span> : null}
              <span>
                captured <TrustMark trust={point.trustAtCapture} size={12} />
                {point.trustNow === point.trustAtCapture ? null : (
                  <>
                    , now <TrustMark trust={point.trustNow} size={12} />
                  </>
                )}
              </span>
              <span className="dim">{point.decisive ? "decisions may use it" : "not for decisions"}</span>
              {point.quality === "actual" ? null : <span className="dim">{QUALITY_WORDS[point.quality]}</span>}
              {point.statusWords.length === 0 ? null : <span className="dim">{point.statusWords.join(", ")}</span>}
            </p>
            <Plot
              times={bars.times}
              values={values}
              series={SERIES}
              heightPx={220}
              at={at}
              onMove={setAt}
              onOpen={open}
              faded={lost}
            />
            <input
              className="chart-slider"
              type="range"
              aria-label="Interval of the load profile"
              aria-valuetext={`${localTime.near(point.time * 1000, opened)}, ${spoken(formatPower(point.powerW))}, ${point.trustAtCapture}`}
              min={0}
              max={points.length - 1}
              value={index}
              onChange={(event) => setAt(event.currentTarget.valueAsNumber)}
            />
            <p className="chart-key">
              <span className="key-full" aria-hidden="true" /> for decisions
              <span className="key-hollow" aria-hidden="true" /> not for decisions
              <span className="dim">{decisiveSentence(points)}</span>
            </p>
          </>
        )}
      </div>
    </Panel>
  );
}

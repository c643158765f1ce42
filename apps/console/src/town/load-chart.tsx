/** Load of the town and of each feeder, as the transformer meters measured it. */
import type { GridView, MeterSummary, ProfileView } from "@meterkeep/api";
import { useQueries } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { memo, useEffect, useMemo, useState } from "react";
import { profileQuery } from "../api/queries.ts";
import { Plot } from "../chart/plot.tsx";
import { alignSeries, powerSeries, sumSeries } from "../chart/power-series.ts";
import type { PlotSeries } from "../chart/series.ts";
import { lastHours } from "../chart/span.ts";
import { useSpanStart } from "../chart/use-span.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatPower, spoken } from "../format/quantity.ts";
import { localTime, useLive } from "../live/live-context.tsx";
import { SimulatedMark } from "../shell/marks.tsx";
import { Amount } from "../shell/quantity.tsx";

const HOURS = 24;
const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 3], [10, 3, 2, 3]];

interface LoadChartProps {
  readonly grid: GridView;
  readonly meters: ReadonlyMap<string, MeterSummary>;
  /** Start of the town's time on this page, ms; the window reaches a day further back. */
  readonly townStart: number;
}

export const LoadChart = memo(function LoadChart({ grid, meters, townStart }: LoadChartProps) {
  const navigate = useNavigate();
  const lost = useLive((live) => live.connection === "lost");
  const [at, setAt] = useState<number>();
  const [from, follow] = useSpanStart(townStart, HOURS);
  const measured = useMemo(
    () =>
      grid.feeders.flatMap((feeder) =>
        feeder.transformer.meter === undefined ? [] : [{ feeder, meter: feeder.transformer.meter }],
      ),
    [grid],
  );
  const profiles = useQueries({ queries: measured.map(({ meter }) => profileQuery(meter, from)), combine: dataOf });

  const { points, times, values } = useMemo(() => {
    const series = profiles.map((profile) => (profile === undefined ? [] : lastHours(powerSeries(profile), HOURS)));
    const aligned = alignSeries(series);
    return { points: series, times: aligned.times, values: [sumSeries(aligned.values), ...aligned.values] };
  }, [profiles]);

  const newestTime = times.at(-1);
  useEffect(() => follow(newestTime === undefined ? undefined : newestTime * 1000));

  const series = useMemo<PlotSeries[]>(
    () => [
      { label: "Town", tone: "accent", widthPx: 2, filled: true, directLabel: true },
      ...measured.map(({ feeder }, index) => ({
        label: feeder.name,
        tone: "ink-2",
        widthPx: 1.25,
        dash: DASHES[index % DASHES.length] ?? [],
        directLabel: true,
      })),
    ],
    [measured],
  );

  // The newest moment that every feeder has, unless another is pointed at.
  const newest = values[0]?.findLastIndex((value) => value !== null) ?? -1;
  const index = Math.min(at ?? (newest === -1 ? times.length - 1 : newest), times.length - 1);
  const time = times[index];
  const untrusted = measured.filter(({ meter }) => meters.get(meter)?.trust !== "trusted");
  const open = (where: number) => {
    const hash = points.flat().find((point) => point.time === times[where])?.evidence;
    if (hash !== undefined)
      void navigate({ to: ".", search: (before) => ({ ...before, evidence: hash }), resetScroll: false });
  };

  return (
    <section className="panel town-chart" aria-labelledby="load-title" id="load">
      <div className="panel-head">
        <h2 id="load-title">Load, last 24 hours of town time</h2>
        <span className="marks">
          <SimulatedMark />
          {untrusted.length === 0 ? null : (
            <span className="mark">
              {untrusted.length} of {measured.length} transformer meters not trusted
            </span>
          )}
        </span>
      </div>
      <div className="panel-body">
        {time === undefined ? (
          <p className="dim load-none">
            No interval has been read yet. The first ones come with the first session of a transformer meter.
          </p>
        ) : (
          <>
            <p className="chart-readout" id="load-readout">
              <strong>{localTime.near(time * 1000, townStart)}</strong>
              {series.map(({ label }, row) => {
                const value = values[row]?.[index];
                const evidence =
                  row === 0 ? undefined : points[row - 1]?.find((point) => point.time === time)?.evidence;
                return (
                  <span key={label}>
                    {label}{" "}
                    {value === null || value === undefined ? (
                      "–"
                    ) : (
                      <EvidenceLink hash={evidence}>
                        <Amount of={formatPower(value)} />
                      </EvidenceLink>
                    )}
                  </span>
                );
              })}
            </p>
            <Plot
              times={times}
              values={values}
              series={series}
              heightPx={240}
              at={at}
              onMove={setAt}
              onOpen={open}
              faded={lost}
            />
            <input
              className="chart-slider labelled"
              type="range"
              aria-label="Moment in the load chart"
              aria-valuetext={`${localTime.near(time * 1000, townStart)}, town ${values[0]?.[index] == null ? "unknown" : spoken(formatPower(values[0][index]))}`}
              min={0}
              max={times.length - 1}
              value={index}
              onChange={(event) => setAt(event.currentTarget.valueAsNumber)}
            />
          </>
        )}
      </div>
    </section>
  );
});

/** Only the answers: the list stays the same while they do. */
function dataOf(results: readonly { readonly data: ProfileView | undefined }[]): readonly (ProfileView | undefined)[] {
  return results.map(({ data }) => data);
}

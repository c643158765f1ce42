/** A uPlot chart in the house's colours. Its pointer, its slider and its readout show the same moment. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import { formatTick } from "../format/quantity.ts";
import { useScheme } from "../shell/scheme.tsx";
import { useWidth } from "../shell/use-width.ts";
import { directLabels } from "./direct-labels.ts";
import type { PlotSeries } from "./series.ts";

interface PlotProps {
  readonly times: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
  readonly series: readonly PlotSeries[];
  readonly heightPx: number;
  readonly at: number | undefined;
  readonly onMove: (index: number) => void;
  readonly onOpen?: ((index: number) => void) | undefined;
  readonly faded: boolean;
}

export function Plot({ times, values, series, heightPx, at, onMove, onOpen, faded }: PlotProps) {
  const [measure, width] = useWidth<HTMLDivElement>();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const scheme = useScheme();
  const callbacks = useRef({ onMove, onOpen });
  callbacks.current = { onMove, onOpen };
  const drawn = useRef({ times, values });
  drawn.current = { times, values };
  const ready = width > 0;
  // The scheme and the fading change what the palette's variables mean, so the chart is made anew with them.
  const look = JSON.stringify({ series, scheme, faded });

  useEffect(() => {
    const element = host.current;
    if (element === null || !ready) return;
    const chart = new uPlot(
      optionsFor(
        element,
        (JSON.parse(look) as { series: PlotSeries[] }).series,
        Math.floor(element.clientWidth),
        heightPx,
        callbacks,
      ),
      [drawn.current.times, ...drawn.current.values] as unknown as uPlot.AlignedData,
      element,
    );
    plot.current = chart;
    return () => {
      plot.current = undefined;
      chart.destroy();
    };
  }, [look, heightPx, ready]);

  useEffect(() => {
    plot.current?.setData([times, ...values] as unknown as uPlot.AlignedData);
  }, [times, values]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width: Math.floor(width), height: heightPx });
  }, [width, heightPx]);

  useEffect(() => {
    const chart = plot.current;
    const time = at === undefined ? undefined : times[at];
    if (chart === undefined || time === undefined) return;
    chart.setCursor({ left: chart.valToPos(time, "x"), top: chart.bbox.height / devicePixelRatio / 2 }, false);
  }, [at, times]);

  return (
    <div
      ref={(element) => {
        host.current = element;
        return measure(element);
      }}
      className="plot"
      aria-hidden="true"
    />
  );
}

function optionsFor(
  element: HTMLElement,
  series: readonly PlotSeries[],
  width: number,
  height: number,
  callbacks: { readonly current: { onMove: (index: number) => void; onOpen?: ((index: number) => void) | undefined } },
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: colour("ink-3"), font, ticks: { show: false } };
  const narrow = width < 520;
  const labelled = series.some(({ directLabel }) => directLabel) && !narrow;
  return {
    width,
    height,
    padding: [12, labelled ? 92 : 22, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7, width: 2, fill: colour("panel") },
      bind: {
        click: (chart) => () => {
          const index = chart.cursor.idx;
          if (index !== null && index !== undefined) callbacks.current.onOpen?.(index);
          return null;
        },
      },
    },
    scales: {
      x: { time: true },
      y: { range: (_chart, min, max) => [Math.min(0, min * 1.12), max <= 0 ? 1 : max * 1.12] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        values: (_chart, splits) => splits.map(hourOf),
        space: 70,
      },
      {
        ...axis,
        grid: { stroke: colour("rule"), width: 1 },
        size: 62,
        values: (_chart, splits) => splits.map(formatTick),
      },
    ],
    series: [{}, ...series.map((one) => seriesOptions(one, colour))],
    hooks: {
      setCursor: [
        (chart) => {
          if (chart.cursor.idx !== null && chart.cursor.idx !== undefined && chart.cursor.event !== undefined)
            callbacks.current.onMove(chart.cursor.idx);
        },
      ],
      draw: labelled ? [directLabels(series, colour, font)] : [],
    },
  };
}

function seriesOptions(one: PlotSeries, colour: (name: string) => string): uPlot.Series {
  const stroke = colour(one.tone);
  const common = { label: one.label, stroke, width: one.widthPx, points: { show: false }, spanGaps: false };
  if (one.bars !== undefined)
    return {
      ...common,
      fill: one.bars === "hatched" ? hatch(stroke) : stroke,
      paths: uPlot.paths.bars?.({ size: [0.86, 40], align: -1 }) as uPlot.Series.PathBuilder,
    };
  return {
    ...common,
    ...(one.dash === undefined ? {} : { dash: [...one.dash] }),
    ...(one.filled ? { fill: `${stroke}1c` } : {}),
  };
}

/** Diagonal lines: what decisions may not use is drawn hollow. */
function hatch(stroke: string): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const size = Math.round(5 * devicePixelRatio);
  tile.width = size;
  tile.height = size;
  const context = tile.getContext("2d");
  if (context === null) return "transparent";
  context.strokeStyle = stroke;
  context.lineWidth = devicePixelRatio;
  context.beginPath();
  for (const shift of [-size, 0, size]) {
    context.moveTo(shift, size);
    context.lineTo(shift + size, 0);
  }
  context.stroke();
  return context.createPattern(tile, "repeat") ?? "transparent";
}

const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

function hourOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return date.getHours() === 0 && date.getMinutes() === 0 ? DAY.format(date) : HOUR.format(date);
}

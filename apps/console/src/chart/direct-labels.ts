/** Names at the ends of lines instead of a colour key. */
import type uPlot from "uplot";
import type { PlotSeries } from "./series.ts";

/** Moves labels apart that would overlap, keeping their order; `gap` is the least distance. */
export function spread(positions: readonly number[], gap: number, floor: number): number[] {
  const order = positions.map((y, index) => ({ y, index })).toSorted((a, b) => a.y - b.y);
  let free = Number.NEGATIVE_INFINITY;
  for (const label of order) {
    label.y = Math.max(label.y, free);
    free = label.y + gap;
  }
  // What was pushed below the floor is pushed up again from there.
  let roof = floor;
  for (const label of order.toReversed()) {
    label.y = Math.min(label.y, roof);
    roof = label.y - gap;
  }
  const result = new Array<number>(positions.length).fill(0);
  for (const { y, index } of order) result[index] = y;
  return result;
}

/** A drawing hook that writes each directly labelled series' name at its last point. */
export function directLabels(
  series: readonly PlotSeries[],
  colour: (name: string) => string,
  font: string,
): (chart: uPlot) => void {
  return (chart) => {
    const ends = series.flatMap((one, index) => {
      if (one.directLabel !== true) return [];
      const data = chart.data[index + 1];
      const at = data === undefined ? -1 : lastIndex(data);
      const value = data?.[at];
      const time = chart.data[0][at];
      if (value === null || value === undefined || time === undefined) return [];
      return [{ label: one.label, tone: one.tone, y: chart.valToPos(value, "y", true) }];
    });
    const ratio = devicePixelRatio;
    const ys = spread(
      ends.map(({ y }) => y),
      14 * ratio,
      chart.bbox.top + chart.bbox.height,
    );
    const { ctx } = chart;
    ctx.save();
    ctx.font = font.replace("12px", `${12 * ratio}px`);
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ends.forEach(({ label, tone }, index) => {
      ctx.fillStyle = colour(tone);
      ctx.fillText(label, chart.bbox.left + chart.bbox.width + 8 * ratio, ys[index] ?? 0);
    });
    ctx.restore();
  };
}

function lastIndex(data: ArrayLike<number | null | undefined>): number {
  for (let index = data.length - 1; index >= 0; index -= 1) {
    const value = data[index];
    if (value !== null && value !== undefined) return index;
  }
  return -1;
}

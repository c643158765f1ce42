/** One home in the diagram: fill is supply, shape and outline are trust, a stroke below is staleness. */
import type { MeterSummary } from "@meterkeep/api";
import { memo } from "react";
import { meterSentence } from "./summary.ts";
import { TRUST_LOOKS, trustPath } from "./trust.ts";

interface HomeGlyphProps {
  readonly meter: MeterSummary;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly target: number;
  readonly dimmed: boolean;
  readonly reachable: boolean;
}

export const HomeGlyph = memo(function HomeGlyph({ meter, x, y, radius, target, dimmed, reachable }: HomeGlyphProps) {
  const look = TRUST_LOOKS[meter.trust];
  const busy = meter.takeover === "under-way" || meter.takeover === "probing";
  const classes = [
    "home",
    `tone-${look.tone}`,
    meter.supply,
    dimmed ? "dimmed" : "",
    meter.stale ? "stale" : "",
    busy ? "busy" : "",
  ];
  return (
    <g transform={`translate(${x} ${y})`}>
      <a
        href={`/meters/${meter.systemTitle}`}
        data-meter={meter.systemTitle}
        tabIndex={reachable ? 0 : -1}
        aria-label={meterSentence(meter)}
        className={classes.filter((name) => name !== "").join(" ")}
      >
        <rect className="home-target" x={-target / 2} y={-target / 2} width={target} height={target} />
        <path className={`home-shape outline-${look.outline}`} d={trustPath(meter.trust, radius)} />
        <SupplyMark supply={meter.supply} radius={radius} />
        {look.outline === "double" ? <path className="home-double" d={trustPath(meter.trust, radius + 2.6)} /> : null}
        {meter.stale ? <path className="home-stale" d={`M${-radius} ${radius + 4}h${radius * 2}`} /> : null}
      </a>
    </g>
  );
});

/** Supply once more in shape, for eyes that do not see the fill: a bar through the dark ones, a point in the unknown. */
function SupplyMark({ supply, radius }: { supply: MeterSummary["supply"]; radius: number }) {
  if (supply === "connected") return null;
  const r = radius * 0.42;
  return supply === "disconnected" ? (
    <path className="home-dark" d={`M${-r} ${r}L${r} ${-r}`} />
  ) : (
    <circle className="home-unknown" r={radius * 0.2} />
  );
}

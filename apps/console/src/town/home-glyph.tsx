/** One home in the diagram: fill is supply, shape and outline are trust, a stroke below is staleness, a halo that fades is a reading that came. */
import type { MeterSummary } from "@meterkeep/api";
import { memo, type ReactNode, useState } from "react";
import { homeClasses, outerRadius, stalePath, supplyPath } from "./home-look.ts";
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
  const { outline } = TRUST_LOOKS[meter.trust];
  const [shownFirst] = useState(meter.lastReadingAt);
  return (
    <g transform={`translate(${x} ${y})`}>
      <HomeLink meter={meter} target={target} reachable={reachable} className={homeClasses(meter, dimmed)}>
        <path className={`home-shape outline-${outline}`} d={trustPath(meter.trust, radius)} />
        {meter.supply === "connected" ? null : (
          <path className={`home-supply ${meter.supply}`} d={supplyPath(meter.supply, radius)} />
        )}
        {outline === "double" ? <path className="home-double" d={trustPath(meter.trust, outerRadius(radius))} /> : null}
        {meter.lastReadingAt === shownFirst ? null : (
          <path key={meter.lastReadingAt} className="home-read" d={trustPath(meter.trust, outerRadius(radius))} />
        )}
        {meter.stale ? <path className="home-stale" d={stalePath(radius)} /> : null}
      </HomeLink>
    </g>
  );
});

interface HomeLinkProps {
  readonly meter: MeterSummary;
  readonly target: number;
  readonly reachable: boolean;
  readonly className: string;
  readonly children?: ReactNode;
}

/** What the pointer and the focus meet: a link to the meter's page that says how the home is. */
export function HomeLink({ meter, target, reachable, className, children }: HomeLinkProps) {
  return (
    <a
      href={`/meters/${meter.systemTitle}`}
      data-meter={meter.systemTitle}
      tabIndex={reachable ? 0 : -1}
      aria-label={meterSentence(meter)}
      className={className}
    >
      <rect className="home-target" x={-target / 2} y={-target / 2} width={target} height={target} />
      {children}
    </a>
  );
}

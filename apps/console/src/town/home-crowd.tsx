/** The homes of a feeder that has too many for one element each. The one under the pointer and the one with the focus are links of their own. */
import type { MeterSummary } from "@meterkeep/api";
import { memo, useMemo } from "react";
import { crowdsOf } from "./crowd.ts";
import { HomeLink } from "./home-glyph.tsx";
import type { Density, LaneLayout } from "./layout.ts";

interface HomeCrowdProps {
  readonly layout: LaneLayout;
  readonly density: Density;
  readonly homes: readonly (MeterSummary | undefined)[];
  readonly shown: ReadonlySet<string> | undefined;
  readonly reachable: string | undefined;
  readonly pointed: string | undefined;
}

export const HomeCrowd = memo(function HomeCrowd(props: HomeCrowdProps) {
  const { layout, density, homes, shown, reachable, pointed } = props;
  const crowds = useMemo(
    () =>
      crowdsOf(
        layout.homes.flatMap(({ meter, x, y }, index) => {
          const facts = homes[index];
          return facts === undefined ? [] : [{ ...facts, x, y, dimmed: shown !== undefined && !shown.has(meter) }];
        }),
        density.radius,
      ),
    [layout, density, homes, shown],
  );
  const target = Math.min(layout.pitch, density.rowHeight);
  return (
    <>
      {layout.homes.map(({ meter, x, y }, index) => {
        const facts = homes[index];
        if (facts === undefined || (meter !== reachable && meter !== pointed)) return null;
        return (
          <g key={meter} transform={`translate(${x} ${y})`}>
            <HomeLink meter={facts} target={target} reachable={meter === reachable} className="home" />
          </g>
        );
      })}
      <g className="crowds">
        {crowds.map(({ classes, supply, outline, shapes, supplies, doubles, stales }) => (
          <g key={`${outline} ${classes}`} className={classes}>
            <path className={`home-shape outline-${outline}`} d={shapes} />
            {supplies === "" ? null : <path className={`home-supply ${supply}`} d={supplies} />}
            {doubles === "" ? null : <path className="home-double" d={doubles} />}
            {stales === "" ? null : <path className="home-stale" d={stales} />}
          </g>
        ))}
      </g>
    </>
  );
});

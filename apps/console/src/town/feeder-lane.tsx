/** One feeder: tap, transformer with its meter, low-voltage bar, homes on conductors. */
import type { GridView, MeterSummary } from "@meterkeep/api";
import { memo } from "react";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatCount, formatPower, formatRating, formatShare, spoken } from "../format/quantity.ts";
import { Amount } from "../shell/quantity.tsx";
import { HomeCrowd } from "./home-crowd.tsx";
import { HomeGlyph } from "./home-glyph.tsx";
import { type Density, gutterFor, type LaneLayout } from "./layout.ts";
import type { FeederFacts } from "./summary.ts";
import { TRUST_LOOKS, trustPath } from "./trust.ts";

type Feeder = GridView["feeders"][number];

interface FeederLaneProps {
  readonly feeder: Feeder;
  readonly facts: FeederFacts;
  readonly layout: LaneLayout;
  readonly density: Density;
  readonly homes: readonly (MeterSummary | undefined)[];
  readonly transformer: MeterSummary | undefined;
  /** Undefined: nothing is singled out. */
  readonly shown: ReadonlySet<string> | undefined;
  readonly reachable: string | undefined;
  readonly last: boolean;
  /** The home under the pointer, where homes have no elements of their own. */
  readonly pointed: string | undefined;
  /** Whether the list below shows this feeder alone. */
  readonly chosen: boolean;
  readonly choose: (feeder: string | undefined) => void;
}

/** Height of a lane's head and the space below it; only the first guess for lanes out of sight. */
const HEAD_PX = 38;

const PATH_WORDS = {
  wan: "taken over in the field",
  depot: "taken over in the shielded depot",
} as const;

export const FeederLane = memo(
  function FeederLane(props: FeederLaneProps) {
    const { feeder, facts, layout, density, homes, transformer, shown, reachable } = props;
    const gutter = gutterFor(layout.width);
    const top = layout.conductors[0]?.y ?? 12;
    const bottom = layout.conductors.at(-1)?.y ?? top;
    return (
      <section
        className="lane"
        aria-label={feeder.name}
        style={{ containIntrinsicBlockSize: `auto ${layout.height + HEAD_PX}px` }}
      >
        <LaneHead feeder={feeder} facts={facts} transformer={transformer} chosen={props.chosen} choose={props.choose} />
        <svg
          className="lane-picture"
          data-feeder={feeder.id}
          role="presentation"
          width={layout.width}
          height={layout.height}
          viewBox={`0 0 ${layout.width} ${layout.height}`}
        >
          <path className="busbar" d={`M${gutter.busbarX} 0V${props.last ? top + 1.5 : layout.height + 12}`} />
          <path className="conductor" d={`M${gutter.busbarX} ${top}H${gutter.barX}`} />
          <rect className="breaker" x={gutter.busbarX + 12} y={top - 5} width={10} height={10} />
          {layout.rows > 1 ? <path className="conductor low" d={`M${gutter.barX} ${top}V${bottom}`} /> : null}
          {layout.conductors.map(({ y, toX }) => (
            <path key={y} className="conductor" d={`M${gutter.barX} ${y}H${toX}`} />
          ))}
          {density.stem === 0
            ? null
            : layout.homes.map(({ meter, x, y }) => (
                <path key={meter} className="conductor stem" d={`M${x} ${y - density.stem}V${y - density.radius}`} />
              ))}
          <Transformer x={gutter.transformerX} y={top} radius={gutter.transformerRadius} id={feeder.transformer.id} />
          {transformer === undefined ? null : (
            <TransformerMeter meter={transformer} x={gutter.transformerX} y={top} reachable={reachable} />
          )}
          {density.crowded ? (
            <HomeCrowd
              layout={layout}
              density={density}
              homes={homes}
              shown={shown}
              reachable={reachable}
              pointed={props.pointed}
            />
          ) : (
            layout.homes.map(({ meter, x, y }, index) => {
              const summary = homes[index];
              return summary === undefined ? null : (
                <HomeGlyph
                  key={meter}
                  meter={summary}
                  x={x}
                  y={y}
                  radius={density.radius}
                  target={Math.min(density.pitch, density.rowHeight)}
                  dimmed={shown !== undefined && !shown.has(meter)}
                  reachable={reachable === meter}
                />
              );
            })
          )}
        </svg>
      </section>
    );
  },
  (before, after) =>
    before.feeder === after.feeder &&
    before.layout === after.layout &&
    before.density === after.density &&
    before.transformer === after.transformer &&
    before.shown === after.shown &&
    before.reachable === after.reachable &&
    before.pointed === after.pointed &&
    before.chosen === after.chosen &&
    before.choose === after.choose &&
    sameFacts(before.facts, after.facts) &&
    before.homes.length === after.homes.length &&
    before.homes.every((home, index) => home === after.homes[index]),
);

function sameFacts(a: FeederFacts, b: FeederFacts): boolean {
  return (Object.keys(a) as (keyof FeederFacts)[]).every((key) => a[key] === b[key]);
}

function LaneHead({
  feeder,
  facts,
  transformer,
  chosen,
  choose,
}: Pick<FeederLaneProps, "feeder" | "facts" | "transformer" | "chosen" | "choose">) {
  return (
    <header className="lane-head">
      <h3>{feeder.name}</h3>
      <span className="lane-path">{PATH_WORDS[feeder.path]}</span>
      <button
        type="button"
        className="lane-supply"
        aria-pressed={chosen}
        aria-label={`${supplyOf(facts)}: show only the meters of ${feeder.name}`}
        onClick={() => choose(chosen ? undefined : feeder.id)}
      >
        {facts.dark > 0 ? <strong>{supplyOf(facts)}</strong> : supplyOf(facts)}
      </button>
      <span className="lane-load">
        {facts.loadW === undefined ? (
          <span className="dim">load not read yet</span>
        ) : (
          <>
            {transformer === undefined || transformer.trust === "trusted" ? null : (
              <span className="dim">{transformer.trust}</span>
            )}
            {facts.loadStale ? <span className="mark">stale</span> : null}
            <LoadBar loadW={facts.loadW} ratedW={facts.ratedW} />
            <span className="lane-share dim">
              {spoken(formatShare(Math.max(0, facts.loadW), facts.ratedW))} of{" "}
              <Amount of={formatRating(facts.ratedW)} />
            </span>
            <span className="lane-power">
              <EvidenceLink hash={facts.loadEvidence} label={`Evidence for the load of ${feeder.name}`}>
                <Amount of={formatPower(facts.loadW)} />
              </EvidenceLink>
            </span>
          </>
        )}
      </span>
    </header>
  );
}

function supplyOf({ dark, lit, homes }: FeederFacts): string {
  return dark > 0 ? `${formatCount(dark)} dark` : `${formatCount(lit)} of ${formatCount(homes)} lit`;
}

function LoadBar({ loadW, ratedW }: { loadW: number; ratedW: number }) {
  const share = Math.max(0, Math.min(1, loadW / ratedW));
  return (
    <svg
      className="load-bar"
      width="72"
      height="8"
      role="img"
      aria-label={`${spoken(formatShare(Math.max(0, loadW), ratedW))} of the transformer's ${spoken(formatRating(ratedW))}`}
    >
      <rect className="load-rail" x="0" y="0" width="72" height="8" />
      <rect className="load-fill" x="0" y="0" width={72 * share} height="8" />
      <path className="load-tick" d="M57.6 0V8" />
    </svg>
  );
}

/** The symbol of IEC 60617: two windings. */
function Transformer({ x, y, radius, id }: { x: number; y: number; radius: number; id: string }) {
  const apart = radius * 0.6;
  return (
    <g className="transformer">
      <title>{`Transformer ${id}`}</title>
      <circle cx={x - apart} cy={y} r={radius} />
      <circle cx={x + apart} cy={y} r={radius} />
    </g>
  );
}

/** The meter at the transformer stands on its symbol, so that the sum has a witness in sight. */
function TransformerMeter({
  meter,
  x,
  y,
  reachable,
}: {
  meter: MeterSummary;
  x: number;
  y: number;
  reachable: string | undefined;
}) {
  const look = TRUST_LOOKS[meter.trust];
  return (
    <g transform={`translate(${x} ${y})`}>
      <a
        href={`/meters/${meter.systemTitle}`}
        data-meter={meter.systemTitle}
        tabIndex={reachable === meter.systemTitle ? 0 : -1}
        aria-label={`${meter.label}, transformer meter, ${meter.trust}${meter.stale ? ", stale" : ""}`}
        className={`home witness tone-${look.tone} ${meter.stale ? "stale" : ""}`}
      >
        <rect className="home-target" x={-14} y={-12} width={28} height={24} />
        <path className={`home-shape outline-${look.outline}`} d={trustPath(meter.trust, 4.6)} />
      </a>
    </g>
  );
}

import { outerRadius, supplyPath } from "./home-look.ts";
import { TRUST_LOOKS, TRUST_ORDER, type Trust, trustPath } from "./trust.ts";

/** What fill, shape and outline mean. Only states that occur are listed. */
export function Legend({ present }: { present: ReadonlySet<Trust> }) {
  return (
    <div className="legend">
      <p className="legend-group">
        <span className="legend-name">Fill is supply</span>
        <LegendItem word="supplied" supply="connected" />
        <LegendItem word="dark" supply="disconnected" />
        <LegendItem word="not read yet" supply="unknown" />
      </p>
      <p className="legend-group">
        <span className="legend-name">Shape is trust</span>
        {TRUST_ORDER.filter((trust) => present.has(trust)).map((trust) => (
          <LegendItem key={trust} word={TRUST_LOOKS[trust].word} trust={trust} />
        ))}
      </p>
    </div>
  );
}

function LegendItem({
  word,
  trust,
  supply = "connected",
}: {
  word: string;
  trust?: Trust;
  supply?: "connected" | "disconnected" | "unknown";
}) {
  const look = TRUST_LOOKS[trust ?? "held"];
  return (
    <span className="legend-item">
      <svg width="20" height="20" viewBox="-10 -10 20 20" aria-hidden="true">
        <g className={`home ${trust === undefined ? "plain" : `tone-${look.tone}`} ${supply}`}>
          <path
            className={`home-shape ${trust === undefined ? "" : `outline-${look.outline}`}`}
            d={trustPath(trust ?? "trusted", 6)}
          />
          {supply === "connected" ? null : <path className={`home-supply ${supply}`} d={supplyPath(supply, 6)} />}
          {look.outline === "double" && trust !== undefined ? (
            <path className="home-double" d={trustPath(trust, outerRadius(6))} />
          ) : null}
        </g>
      </svg>
      {word}
    </span>
  );
}

/** The way from shipped to trusted with how many meters stand where; a station singles out its meters. */
import { formatCount } from "../format/quantity.ts";
import { STAGE_WORDS, STAGES, type Stage } from "./stage.ts";

interface StageRailProps {
  readonly counts: Readonly<Record<Stage, number>>;
  readonly chosen: Stage | undefined;
  readonly choose: (stage: Stage | undefined) => void;
}

export function StageRail({ counts, chosen, choose }: StageRailProps) {
  const total = STAGES.reduce((sum, stage) => sum + counts[stage], 0);
  return (
    <section className="rail" aria-label="From shipped to trusted">
      <div className="rail-bar" aria-hidden="true">
        {STAGES.filter((stage) => counts[stage] > 0).map((stage) => (
          <span key={stage} className={`rail-part ${stage}`} style={{ flexGrow: counts[stage] / Math.max(1, total) }} />
        ))}
      </div>
      <ol className="rail-stations">
        {STAGES.map((stage) => (
          <li key={stage}>
            <button
              type="button"
              className={`station ${stage}`}
              aria-pressed={chosen === stage}
              onClick={() => choose(chosen === stage ? undefined : stage)}
            >
              <span className="station-count">{formatCount(counts[stage])}</span>
              <span className="station-name">{STAGE_WORDS[stage].name}</span>
              <span className="station-says">{STAGE_WORDS[stage].says}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

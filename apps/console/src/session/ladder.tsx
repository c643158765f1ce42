/** A session as a ladder: two rails, one rung a message, what it said in words, its octets on demand. */
import type { LadderStep } from "@meterkeep/api";
import { useState } from "react";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { counted } from "../format/quantity.ts";
import { formatDuration } from "../format/time.ts";
import { localTime } from "../live/live-context.tsx";
import { ProtectionMark } from "../shell/marks.tsx";
import { type LadderRow, ladderGroups, withoutSize } from "./ladder-rows.ts";
import { OctetView } from "./octet-view.tsx";
import "./ladder.css";

export function Ladder({ ladder, meterName }: { ladder: readonly LadderStep[]; meterName: string }) {
  return (
    <div className="ladder">
      <div className="ladder-ends">
        <span>Head-end and custodian</span>
        <span>{meterName}</span>
      </div>
      {ladderGroups(ladder).map(({ name, words, rows }) => (
        <section key={`${name} ${rows[0]?.index}`} className="ladder-group" aria-label={words}>
          <h3>{words}</h3>
          <ol>
            {rows.map((row) => (
              <Rung key={row.index} row={row} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

function Rung({ row }: { row: LadderRow }) {
  const { step, sinceMs } = row;
  const [open, setOpen] = useState(false);
  const size = step.octets.length / 2;
  return (
    <li className={`rung ${step.direction}`}>
      <time className="rung-time" dateTime={step.at} title={localTime.full(step.at)}>
        {sinceMs === 0 ? "0 ms" : `+${formatDuration(sinceMs)}`}
      </time>
      <div className="rung-body">
        <button type="button" className="rung-line" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span className="visually-hidden">
            {step.direction === "to-meter" ? "To the meter: " : "From the meter: "}
          </span>
          <span className="rung-says">{withoutSize(step.summary)}</span>
          <svg className="rung-arrow" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
            <path d="M0 4H100" />
          </svg>
          <span className="rung-head" aria-hidden="true" />
          <span className="rung-facts dim">{counted(size, "octet")}</span>
        </button>
        {open ? (
          <div className="rung-open">
            <span className="marks">
              {step.protection === undefined ? null : <ProtectionMark protection={step.protection} />}
              {step.evidence === undefined ? null : (
                <span className="mark">
                  <EvidenceLink hash={step.evidence}>evidence {step.evidence.slice(0, 8)}</EvidenceLink>
                </span>
              )}
            </span>
            <OctetView wire={step.octets} plain={step.plain} decoded={step.decoded} />
          </div>
        ) : null}
      </div>
    </li>
  );
}

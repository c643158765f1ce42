/** The meters as a list: the same facts in words, findable, and full-size targets where the diagram is dense. */
import type { MeterSummary } from "@meterkeep/api";
import { memo, useMemo, useState } from "react";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { counted, formatEnergy, formatPower } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { ProtectionMark, TrustMark } from "../shell/marks.tsx";
import { MeterLink } from "../shell/meter-link.tsx";
import { Amount } from "../shell/quantity.tsx";
import { ShowMore } from "../shell/show-more.tsx";
import { attentionFirst, isEmptyFilter, type MeterFilter } from "./filter.ts";
import { FindMeter } from "./find-meter.tsx";

const PAGE = 25;
const SUPPLY_WORDS = { connected: "supplied", disconnected: "dark", unknown: "not read" } as const;

interface MeterListProps {
  readonly meters: readonly MeterSummary[];
  /** Those that fit the filter, a moment behind its fields where the town is large. */
  readonly found: readonly MeterSummary[];
  /** What the fields show. */
  readonly filter: MeterFilter;
  readonly change: (filter: MeterFilter) => void;
}

export const MeterList = memo(function MeterList({ meters, found, filter, change }: MeterListProps) {
  const [limit, setLimit] = useState(PAGE);
  const rows = useMemo(() => attentionFirst(found).slice(0, limit), [found, limit]);
  const feeders = useMemo(
    () => [...new Set(meters.flatMap(({ feeder }) => (feeder === undefined ? [] : [feeder])))].toSorted(),
    [meters],
  );
  return (
    <section className="panel town-list" aria-labelledby="list-title">
      <div className="panel-head">
        <h2 id="list-title">Meters</h2>
        <span className="dim" role="status">
          {found.length === meters.length
            ? counted(meters.length, "meter")
            : `${found.length} of ${counted(meters.length, "meter")}`}
        </span>
        <span className="mark simulated">simulated unless marked real</span>
        <span className="list-tools">
          <FindMeter text={filter.text ?? ""} change={(text) => change({ ...filter, text })} />
          <label>
            <span className="visually-hidden">Feeder</span>
            <select
              className="field"
              value={filter.feeder ?? ""}
              onChange={(event) => change({ ...filter, feeder: event.currentTarget.value || undefined })}
            >
              <option value="">every feeder</option>
              {feeders.map((feeder) => (
                <option key={feeder}>{feeder}</option>
              ))}
            </select>
          </label>
          {isEmptyFilter(filter) ? null : (
            <button type="button" className="text-button" onClick={() => change({})}>
              Show all
            </button>
          )}
        </span>
      </div>
      <MeterTable rows={rows} />
      {found.length === 0 ? (
        <p className="list-end dim">No meter is like that. Fewer words find more.</p>
      ) : found.length > limit ? (
        <ShowMore show={() => setLimit(limit + 100)}>Show {Math.min(100, found.length - limit)} more</ShowMore>
      ) : null}
    </section>
  );
});

/** The rows by themselves: what is typed into the fields does not draw them again before it changes them. */
export const MeterTable = memo(function MeterTable({ rows }: { rows: readonly MeterSummary[] }) {
  const now = useTownTime();
  return (
    <div className="scroll-x">
      <table className="meter-table">
        <thead>
          <tr>
            <th scope="col">Meter</th>
            <th scope="col">System title</th>
            <th scope="col">Trust</th>
            <th scope="col">Supply</th>
            <th scope="col" className="number">
              Power
            </th>
            <th scope="col" className="number">
              Import
            </th>
            <th scope="col">Read at</th>
            <th scope="col">Protected</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((meter) => (
            <tr key={meter.systemTitle}>
              <th scope="row">
                <MeterLink systemTitle={meter.systemTitle} label={meter.label} />{" "}
                {meter.kind === "real" ? <span className="mark">real</span> : null}
              </th>
              <td>
                <code>{meter.systemTitle}</code>
              </td>
              <td>
                <TrustMark trust={meter.trust} />
              </td>
              <td>{meter.role === "home" ? SUPPLY_WORDS[meter.supply] : "–"}</td>
              <td className="number">
                {meter.powerW === undefined ? (
                  "–"
                ) : (
                  <EvidenceLink hash={meter.lastReadingEvidence}>
                    <Amount of={formatPower(meter.powerW)} />
                  </EvidenceLink>
                )}
              </td>
              <td className="number">
                {meter.energyWh === undefined ? (
                  "–"
                ) : (
                  <EvidenceLink hash={meter.lastReadingEvidence}>
                    <Amount of={formatEnergy(meter.energyWh)} />
                  </EvidenceLink>
                )}
              </td>
              <td className="nowrap">
                {meter.lastReadingAt === undefined || now === undefined
                  ? "–"
                  : localTime.near(meter.lastReadingAt, now)}
                {meter.stale ? <span className="mark"> stale</span> : null}
              </td>
              <td>{meter.protection === undefined ? "–" : <ProtectionMark protection={meter.protection} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
});

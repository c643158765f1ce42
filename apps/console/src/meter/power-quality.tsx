import { useQuery } from "@tanstack/react-query";
import { powerQualityQuery } from "../api/meter-queries.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatGiven } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { Failure } from "../shell/failure.tsx";
import { Amount } from "../shell/quantity.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";

const ROWS = 12;

/** The newest rows of the meter's profile of power quality; nothing where none was read. */
export function PowerQuality({ systemTitle }: { systemTitle: string }) {
  const { data, error, refetch } = useQuery(powerQualityQuery(systemTitle));
  const now = useTownTime();
  if (error !== null) return <Failure error={error} retry={() => void refetch()} />;
  if (data === undefined || data.rows.length === 0) return null;
  const { columns, rows } = data;
  return (
    <section className="panel" aria-labelledby="quality-title">
      <div className="panel-head">
        <h2 id="quality-title">Power quality</h2>
      </div>
      <ScrollRegion className="panel-body scroll-x" label="Power quality, newest first">
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {columns.map(({ obis, name }) => (
                <th key={obis} scope="col" className="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows
              .toReversed()
              .slice(0, ROWS)
              .map(({ time, values, evidence }) => (
                <tr key={time}>
                  <td className="nowrap">
                    <EvidenceLink hash={evidence}>{localTime.near(time, now ?? Date.now())}</EvidenceLink>
                  </td>
                  {columns.map(({ obis, unit }, at) => {
                    const value = values[at] ?? null;
                    return (
                      <td key={obis} className="number">
                        {value === null ? "" : <Amount of={formatGiven(value, unit)} />}
                      </td>
                    );
                  })}
                </tr>
              ))}
          </tbody>
        </table>
      </ScrollRegion>
    </section>
  );
}

import { useQuery } from "@tanstack/react-query";
import { powerQualityQuery } from "../api/meter-queries.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatGiven } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { DataTable } from "../shell/data-table.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";

const ROWS = 12;

/** The newest rows of the meter's profile of power quality; nothing where none was read. */
export function PowerQuality({ systemTitle }: { systemTitle: string }) {
  const { data, error, refetch } = useQuery(powerQualityQuery(systemTitle));
  const now = useTownTime();
  if (error !== null) return <Failure error={error} retry={() => void refetch()} />;
  if (data === undefined || data.rows.length === 0) return null;
  const { columns, rows } = data;
  return (
    <Panel name="quality" title="Power quality">
      <DataTable
        label="Power quality, newest first"
        columns={["Time", ...columns.map(({ name }) => ({ number: name }))]}
        inset
      >
        {rows
          .toReversed()
          .slice(0, ROWS)
          .map(({ time, values, evidence, standing }) => (
            <tr key={time}>
              <td className="nowrap">
                <EvidenceLink hash={evidence}>{localTime.near(time, now ?? Date.now())}</EvidenceLink>
                {standing === "undisputed" ? null : <span className="dim"> {standing}</span>}
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
      </DataTable>
    </Panel>
  );
}

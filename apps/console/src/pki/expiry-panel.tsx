import { useQuery } from "@tanstack/react-query";
import { expiryQuery } from "../api/queries.ts";
import { counted, formatCount } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";

/** How many certificates end when, by profile; a column's head shows which. */
export function ExpiryPanel({ onPick }: { onPick: (withinDays: number | undefined) => void }) {
  const { data, error, refetch } = useQuery(expiryQuery);
  return (
    <Panel name="expiry" title="What ends when">
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      {data === undefined || data.rows.length === 0 ? (
        <Empty>No certificate is valid now.</Empty>
      ) : (
        <DataTable
          label="Certificates by the days until they end"
          columns={[
            "Profile",
            ...data.withinDays.map((days) => ({
              key: String(days),
              head: (
                <button type="button" className="text-button" onClick={() => onPick(days)}>
                  {days < 365 ? counted(days, "day") : counted(Math.round(days / 365), "year")}
                </button>
              ),
            })),
            "Later",
          ]}
        >
          {data.rows.map(({ profile, counts }) => (
            <tr key={profile}>
              <th scope="row">{profile}</th>
              {counts.map((count, at) => (
                <td key={data.withinDays[at] ?? "later"}>{count === 0 ? "" : formatCount(count)}</td>
              ))}
            </tr>
          ))}
        </DataTable>
      )}
    </Panel>
  );
}

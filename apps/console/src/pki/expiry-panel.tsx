import { useQuery } from "@tanstack/react-query";
import { expiryQuery } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";

/** How many certificates end when, by profile; a column's head shows which. */
export function ExpiryPanel({ onPick }: { onPick: (withinDays: number | undefined) => void }) {
  const { data, error, refetch } = useQuery(expiryQuery);
  return (
    <section className="panel" aria-labelledby="expiry-title">
      <div className="panel-head">
        <h2 id="expiry-title">What ends when</h2>
      </div>
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      {data === undefined || data.rows.length === 0 ? (
        <Empty>No certificate is valid now.</Empty>
      ) : (
        <ScrollRegion className="scroll-x" label="Certificates by the days until they end">
          <table className="pki-table">
            <thead>
              <tr>
                <th scope="col">Profile</th>
                {data.withinDays.map((days) => (
                  <th scope="col" key={days}>
                    <button type="button" className="text-button" onClick={() => onPick(days)}>
                      {days < 365 ? `${days} days` : `${Math.round(days / 365)} years`}
                    </button>
                  </th>
                ))}
                <th scope="col">Later</th>
              </tr>
            </thead>
            <tbody>
              {data.rows.map(({ profile, counts }) => (
                <tr key={profile}>
                  <th scope="row">{profile}</th>
                  {counts.map((count, at) => (
                    <td key={data.withinDays[at] ?? "later"}>{count === 0 ? "" : formatCount(count)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  );
}

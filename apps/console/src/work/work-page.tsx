/** Commands to meters: asked for, approved by others, run in waves; one meter or a hundred thousand. */
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { campaignsQuery, meQuery } from "../api/queries.ts";
import { formatCount, formatPower } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";
import { When } from "../shell/when.tsx";
import { STATE_WORDS } from "./campaign-words.ts";
import { OrderForm } from "./order-form.tsx";
import "../pki/pki.css";
import "./work.css";

export function WorkPage() {
  usePageTitle("Work");
  const { data: me } = useSuspenseQuery(meQuery);
  const { data, error, refetch } = useQuery(campaignsQuery);
  const campaigns = data?.campaigns ?? [];
  return (
    <>
      <PageHead
        title="Work"
        lede={
          <>
            Every command is tried dry, judged by <Link to="/rules">the guard's rules</Link>, approved word for word by
            others, and run in waves that stop by themselves.
          </>
        }
      />
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      <div className="work-stack">
        {me.scopes.includes("request") ? <OrderForm /> : null}
        <Panel name="campaigns" title="Campaigns">
          {data !== undefined && campaigns.length === 0 ? (
            <div className="panel-body">
              <Empty>Nothing has been asked for yet.</Empty>
            </div>
          ) : null}
          {campaigns.length === 0 ? null : (
            <DataTable
              label="Campaigns, newest first"
              columns={["What", "State", "Meters", "Load", "Done", "Asked by", "When"]}
            >
              {campaigns.map((one) => (
                <tr key={one.id}>
                  <th scope="row">
                    <Link to="/work/$id" params={{ id: one.id }}>
                      {one.words}
                    </Link>
                  </th>
                  <td>{STATE_WORDS[one.state]}</td>
                  <td>{formatCount(one.targets)}</td>
                  <td>
                    <Amount of={formatPower(one.loadAtRiskW)} />
                  </td>
                  <td>{formatCount(one.counts.done)}</td>
                  <td>{one.requester}</td>
                  <td>
                    <When at={one.createdAt} />
                  </td>
                </tr>
              ))}
            </DataTable>
          )}
        </Panel>
      </div>
    </>
  );
}

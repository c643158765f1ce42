/** Technicians: who has which meters' keys, what a lost handheld still opens, and the rotations that end it. */
import type { FieldLease } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { fieldQuery } from "../api/queries.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";
import { LoseHandheld } from "./lose-handheld.tsx";
import "../pki/pki.css";
import { MeterLink } from "../shell/meter-link.tsx";

export function FieldPage() {
  usePageTitle("Field");
  const { data, error, refetch } = useQuery(fieldQuery);
  const enrolled = data?.handhelds.filter(({ state }) => state === "enrolled") ?? [];
  return (
    <>
      <PageHead
        title="Field"
        lede="A handheld has the working keys of the meters that are lent to it, for hours. Each end of a lease changes them."
      />
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      <Panel name="handhelds" title="Handhelds">
        {enrolled.length === 0 ? (
          <Empty>No handheld is enrolled that is not lost.</Empty>
        ) : (
          <ul className="pki-tree">
            {enrolled.map(({ handheld, technician }) => (
              <li key={handheld}>
                <LoseHandheld handheld={handheld} technician={technician} />
              </li>
            ))}
          </ul>
        )}
      </Panel>
      {data?.leases.map((lease) => (
        <LeasePanel key={lease.lease} lease={lease} />
      ))}
    </>
  );
}

function LeasePanel({ lease }: { lease: FieldLease }) {
  const open = lease.meters.filter(({ rotatedAt }) => rotatedAt === undefined).length;
  const id = `lease-${lease.lease}`;
  return (
    <section className="panel" aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>
          {lease.technician}, {lease.handheld}: {lease.state}
        </h2>
      </div>
      <p>
        {lease.meters.length} meters, {open === 0 ? "none of them open any more" : `${open} of them still open`};{" "}
        {lease.meterHours} meter hours exposed. From <When at={lease.from} /> until <When at={lease.until} />.
      </p>
      {lease.disputes.length === 0 ? null : (
        <ul aria-label="What its journal does not explain">
          {lease.disputes.map((why) => (
            <li key={why}>{why}</li>
          ))}
        </ul>
      )}
      <DataTable
        label={`Meters of the lease of ${lease.technician}`}
        columns={["Meter", "Risk", "Hours exposed", "Keys changed", "Its counter", "Its log", "Rotation"]}
      >
        {lease.meters.map(({ systemTitle, label, risk, exposedHours, rotatedAt, counted, logged, phase, sentence }) => (
          <tr key={systemTitle}>
            <th scope="row">
              <MeterLink systemTitle={systemTitle} label={label} />
            </th>
            <td>{risk ?? ""}</td>
            <td>{exposedHours}</td>
            <td>{rotatedAt === undefined ? "not yet" : <When at={rotatedAt} />}</td>
            <td>{counted === undefined ? "" : `${counted.outcome}: ${counted.sentence}`}</td>
            <td>{logged === undefined ? "" : `${logged.outcome}: ${logged.sentence}`}</td>
            <td>{phase === undefined ? "when the lease ends" : `${phase}: ${sentence ?? ""}`}</td>
          </tr>
        ))}
      </DataTable>
    </section>
  );
}

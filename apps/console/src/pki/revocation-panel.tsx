import { useQuery } from "@tanstack/react-query";
import { revocationsQuery } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";

const STAGES = {
  refuse: "Refuse its certificates",
  remove: "Remove them from meters",
  cut: "Cut its islands",
} as const;

/** Authorities and certificates that are being revoked in stages, and how far each has come. */
export function RevocationPanel() {
  const { data, error, refetch } = useQuery(revocationsQuery);
  const [plans, cuts] = [data?.plans ?? [], data?.cuts ?? []];
  return (
    <Panel name="revocations" title="Revocations">
      <div className="panel-body">
        {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
        {data !== undefined && plans.length === 0 ? <Empty>Nothing is being revoked in stages.</Empty> : null}
        <ul className="pki-tree">
          {plans.map((plan) => (
            <li key={plan.id}>
              <p>
                <strong>{STAGES[plan.stage]}</strong>{" "}
                {`is ${plan.state}: ${formatCount(plan.finished)} so far, ${formatCount(plan.meters)} meters in all.`}
              </p>
              <p className="dim">
                {`${plan.reason}, planned by ${plan.plannedBy} `}
                <When at={plan.plannedAt} />
              </p>
              <p>
                <code>{plan.authority}</code>
                {plan.serial === undefined ? null : (
                  <>
                    {", certificate "}
                    <code>{plan.serial}</code>
                  </>
                )}
              </p>
            </li>
          ))}
          {cuts.map((cut) => (
            <li key={`${cut.plan}/${cut.island}`}>
              {`${cut.utility}/${cut.island} is cut since `}
              <When at={cut.cutAt} />
            </li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}

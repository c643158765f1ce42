/** What can be done with one meter: it is looked at first, then asked for; what only reads is done at once. */
import {
  type CampaignTargetDetail,
  type CampaignView,
  COMMAND_REASONS,
  type CommandOrder,
  type CommandReason,
  type OperationView,
} from "@meterkeep/api";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import {
  campaignTargetQuery,
  isUnderWay,
  meterEventsQuery,
  meterOperationsQuery,
  powerQualityQuery,
} from "../api/meter-queries.ts";
import { meQuery, readingsQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { operationTitle } from "../work/operation-title.ts";
import { ParameterFields } from "../work/parameter-fields.tsx";
import { type Parameters, written } from "../work/parameter-shape.ts";
import { ReadData } from "./read-data.tsx";
import "../work/work.css";

interface MeterWorkProps {
  readonly systemTitle: string;
  readonly profile: string;
}

export function MeterWork({ systemTitle, profile }: MeterWorkProps) {
  const { data: me } = useSuspenseQuery(meQuery);
  const operations = useQuery(meterOperationsQuery).data?.operations.filter(({ profiles }) =>
    profiles.includes(profile),
  );
  const [chosen, setChosen] = useState("registers");
  const operation = operations?.find(({ name }) => name === chosen) ?? operations?.[0];
  if (!me.scopes.includes("request") || operations === undefined || operation === undefined) return null;
  return (
    <Panel name="meter-work" title="Do something with it">
      <div className="panel-body work-form">
        <label className="wide">
          What
          <select className="field" value={operation.name} onChange={(event) => setChosen(event.currentTarget.value)}>
            {operations.map(({ name }) => (
              <option key={name} value={name}>
                {operationTitle(name)}
              </option>
            ))}
          </select>
        </label>
        <MeterOrder key={operation.name} operation={operation} systemTitle={systemTitle} />
      </div>
    </Panel>
  );
}

function MeterOrder({ operation, systemTitle }: { operation: OperationView; systemTitle: string }) {
  const { name, changes, example, shape } = operation;
  const navigate = useNavigate();
  const [parameters, setParameters] = useState<Parameters>(example);
  const [reason, setReason] = useState<CommandReason>("maintenance");
  const [workOrder, setWorkOrder] = useState("");
  const order = (look: boolean): CommandOrder => ({
    operation: name,
    parameters: written(parameters) as Record<string, unknown>,
    selection: { kind: "list", meters: [systemTitle] },
    reason,
    look,
    ...(workOrder.trim() === "" ? {} : { workOrder: workOrder.trim() }),
  });
  const post = (look: boolean) => steppedUp(() => postJson<CampaignView>("/commands", order(look)));
  const looked = useMutation({ mutationFn: () => post(changes) });
  const asked = useMutation({
    mutationFn: () => post(false),
    onSuccess: ({ campaign }) => void navigate({ to: "/work/$id", params: { id: campaign.id } }),
  });
  const change = (set: () => void) => {
    set();
    // What was looked at is not what is written now.
    looked.reset();
  };
  return (
    <form
      className="wide work-form"
      onSubmit={(event) => {
        event.preventDefault();
        looked.mutate();
      }}
    >
      <ParameterFields shape={shape} parameters={parameters} change={(next) => change(() => setParameters(next))} />
      {changes ? (
        <>
          <label>
            Why
            <select
              className="field"
              value={reason}
              onChange={(event) => {
                const value = event.currentTarget.value as CommandReason;
                change(() => setReason(value));
              }}
            >
              {COMMAND_REASONS.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </label>
          <label>
            Work order
            <input
              className="field"
              maxLength={128}
              value={workOrder}
              onChange={(event) => {
                const { value } = event.currentTarget;
                change(() => setWorkOrder(value));
              }}
            />
          </label>
        </>
      ) : null}
      <button type="submit" className="button" disabled={looked.isPending}>
        {changes ? "Look first" : "Read"}
      </button>
      {looked.error === null ? null : <Failure error={looked.error} />}
      {looked.data === undefined ? null : (
        <Said campaign={looked.data.campaign.id} systemTitle={systemTitle}>
          {changes ? (
            <button type="button" className="button primary" disabled={asked.isPending} onClick={() => asked.mutate()}>
              {asked.isPending ? "Asking …" : "Ask for this"}
            </button>
          ) : null}
        </Said>
      )}
      {asked.error === null ? null : <Failure error={asked.error} />}
    </form>
  );
}

/** What the meter said, as soon as it has; `children` follow then. */
function Said({
  campaign,
  systemTitle,
  children,
}: {
  campaign: string;
  systemTitle: string;
  children: React.ReactNode;
}) {
  const queries = useQueryClient();
  const { data, error } = useQuery(campaignTargetQuery(campaign, systemTitle));
  const hasSpoken = data !== undefined && !isUnderWay(data);
  useEffect(() => {
    if (!hasSpoken) return;
    // What was read is with its readings now.
    void queries.invalidateQueries({ queryKey: meterEventsQuery(systemTitle).queryKey });
    void queries.invalidateQueries({ queryKey: powerQualityQuery(systemTitle).queryKey });
    void queries.invalidateQueries({ queryKey: readingsQuery(systemTitle).queryKey });
  }, [hasSpoken, queries, systemTitle]);
  if (error !== null) return <Failure error={error} />;
  return (
    <div className="wide" role="status">
      <p>{hasSpoken ? data.target.sentence : "The meter is asked …"}</p>
      {hasSpoken ? (
        <>
          <Facts facts={data.facts} />
          {data.data === undefined ? null : (
            <details>
              <summary>What was read</summary>
              <ReadData data={data.data} />
            </details>
          )}
          {children}
        </>
      ) : null}
    </div>
  );
}

function Facts({ facts }: Pick<CampaignTargetDetail, "facts">) {
  if (facts.length === 0) return null;
  return (
    <DataTable label="What it is, and what is wanted" columns={["What", "Is", "Wanted", "Object"]}>
      {facts.map(({ name, object, found, wanted, holds }) => (
        <tr key={`${object} ${name}`}>
          <th scope="row">{name}</th>
          <td>{found}</td>
          <td>{wanted === undefined ? "" : holds ? "the same" : wanted}</td>
          <td>
            <code>{object}</code>
          </td>
        </tr>
      ))}
    </DataTable>
  );
}
